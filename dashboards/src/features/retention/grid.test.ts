import { expect, test } from "vitest";
import type { Retention } from "@/lib/insights";
import { toGrid } from "./grid";

const cell = (period_index: number, persons: number, size: number, is_complete: boolean) => ({
  period_index,
  persons,
  rate: persons / size,
  is_complete,
});

const data: Retention["data"] = {
  start_event: null,
  return_event: null,
  period: "week",
  timezone: "Europe/Berlin",
  cohort: "first_time",
  clock: "calendar",
  return_rule: "on",
  cohorts: [
    {
      start: "2026-03-02T00:00:00+01:00",
      size: 40,
      cells: [cell(0, 40, 40, true), cell(1, 20, 40, true), cell(2, 10, 40, false), cell(3, 0, 40, false)],
    },
    {
      start: "2026-03-09T00:00:00+01:00",
      size: 10,
      cells: [cell(0, 10, 10, true), cell(1, 1, 10, false), cell(2, 0, 10, false), cell(3, 0, 10, false)],
    },
  ],
  averages: [
    { period_index: 0, size: 50, persons: 50, rate: 1 },
    { period_index: 1, size: 40, persons: 20, rate: 0.5 },
    { period_index: 2, size: 0, persons: 0, rate: null },
    { period_index: 3, size: 0, persons: 0, rate: null },
  ],
};
const inTheThirdWeek = new Date("2026-03-18T12:00:00Z");

test("a period that has not begun is empty, not 0 %", () => {
  const [first, second] = toGrid(data, inTheThirdWeek).rows;
  expect(first?.cells.map((found) => found?.persons)).toEqual([40, 20, 10]);
  expect(second?.cells.map((found) => found?.persons ?? null)).toEqual([10, 1, null]);
});

test("columns that no cohort has begun are not drawn", () => {
  const grid = toGrid(data, inTheThirdWeek);
  expect(grid.columns).toEqual([0, 1, 2]);
  expect(grid.averages.map(({ rate }) => rate)).toEqual([1, 0.5, null]);
});

test("a period that runs is shown and marked", () => {
  expect(toGrid(data, inTheThirdWeek).rows[0]?.cells[2]).toMatchObject({ persons: 10, isComplete: false });
});

test("colours are relative to the highest return; the cohort itself has none", () => {
  const grid = toGrid(data, inTheThirdWeek);
  expect(grid.highest).toBe(0.5);
  expect(grid.rows[0]?.cells.map((found) => found?.heat)).toEqual([0, 1, 0.5]);
});

test("a grid in which nobody came back has no colour", () => {
  const alone = { ...data, cohorts: [{ start: "2026-03-02T00:00:00+01:00", size: 4, cells: [cell(0, 4, 4, true)] }] };
  expect(toGrid(alone, inTheThirdWeek)).toMatchObject({ columns: [0], highest: 0 });
});

test("a period in which nobody started stays as an empty row", () => {
  const nobody = { start: "2026-03-09T00:00:00+01:00", size: 0, cells: [cell(0, 0, 0, true), cell(1, 0, 0, false)] };
  const grid = toGrid({ ...data, cohorts: [...data.cohorts.slice(0, 1), nobody] }, inTheThirdWeek);
  expect(grid.rows.map(({ size }) => size)).toEqual([40, 0]);
  expect(grid.rows[1]?.cells).toEqual([null, null, null]);
});

test("a cohort of one person does not set the scale of the colours", () => {
  const one = { start: "2026-02-23T00:00:00+01:00", size: 1, cells: [cell(0, 1, 1, true), cell(1, 1, 1, true)] };
  const grid = toGrid({ ...data, cohorts: [one, ...data.cohorts] }, inTheThirdWeek);
  expect(grid.highest).toBe(0.5);
  expect(grid.rows[0]?.cells[1]?.heat).toBe(1);
});

test("a small cohort sets the scale where no large one has returns", () => {
  const few = { start: "2026-03-02T00:00:00+01:00", size: 2, cells: [cell(0, 2, 2, true), cell(1, 1, 2, true)] };
  const many = {
    start: "2026-03-09T00:00:00+01:00",
    size: 400,
    cells: [cell(0, 400, 400, true), cell(1, 0, 400, false)],
  };
  const grid = toGrid({ ...data, cohorts: [few, many] }, inTheThirdWeek);
  expect(grid.highest).toBe(0.5);
  expect(grid.rows.map(({ cells }) => cells[1]?.heat)).toEqual([1, 0]);
});

test("a change of the clock moves no period: its days are the calendar's", () => {
  const days = {
    ...data,
    period: "day" as const,
    cohorts: [
      { start: "2026-03-28T00:00:00+01:00", size: 2, cells: [0, 1, 2].map((index) => cell(index, 1, 2, true)) },
    ],
  };
  expect(toGrid(days, new Date("2026-03-29T21:59:00Z")).columns).toEqual([0, 1]);
  expect(toGrid(days, new Date("2026-03-29T22:00:00Z")).columns).toEqual([0, 1, 2]);
});

test("a period begins with the project's day, not with the browser's or UTC's", () => {
  const lastHourBefore = new Date("2026-03-15T22:30:00Z");
  const firstHour = new Date("2026-03-15T23:00:00Z");
  expect(toGrid(data, lastHourBefore).columns).toEqual([0, 1]);
  expect(toGrid(data, firstHour).columns).toEqual([0, 1, 2]);
});
