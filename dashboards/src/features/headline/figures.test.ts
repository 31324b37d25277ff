import { expect, test } from "vitest";
import { beginsWithin, cohortDays, sinceFirstEvent, toDays, toFigure } from "./figures";

const days = toDays([
  { start: "2026-03-01T00:00:00+01:00", value: 10, is_complete: true },
  { start: "2026-03-02T00:00:00+01:00", value: 20, is_complete: true },
  { start: "2026-03-03T00:00:00+01:00", value: 30, is_complete: true },
  { start: "2026-03-04T00:00:00+01:00", value: 3, is_complete: false },
]);

test("a total counts the day that has not ended, an average leaves it out", () => {
  expect(toFigure(days, "2026-03-03", "total").value).toBe(33);
  expect(toFigure(days, "2026-03-03", "average").value).toBe(30);
});

test("the change compares complete days with complete days", () => {
  expect(toFigure(days, "2026-03-03", "total").change).toBe(1);
});

test("on the first day the figure is what there is so far, and compares with nothing", () => {
  expect(toFigure(days, "2026-03-04", "average")).toEqual({ value: 3, change: null, shape: [], isSoFar: true });
});

test("growth from nothing has no rate", () => {
  const grown = days.map((day) => ({ ...day, value: day.date < "2026-03-03" ? 0 : day.value }));
  expect(toFigure(grown, "2026-03-03", "total").change).toBeNull();
});

test("a day on which nobody was new counts as 0", () => {
  const cohorts = [{ start: "2026-03-02T00:00:00+01:00", size: 7, cells: [] }];
  expect(cohortDays(cohorts, days).map(({ value }) => value)).toEqual([0, 7, 0, 0]);
});

const begun = days.map((day) => ({ ...day, value: day.date < "2026-03-02" ? 0 : day.value }));

test("days before the project's first event are in no average", () => {
  const since = sinceFirstEvent(begun, begun, true);
  expect(toFigure(since, "2026-03-01", "average").value).toBe(25);
  expect(toFigure(since, "2026-03-02", "average").change).toBeNull();
  expect(beginsWithin(begun, "2026-03-01", true)).toBe(true);
  expect(beginsWithin(begun, "2026-03-02", true)).toBe(false);
});

test("a quiet day of a project that had events before counts", () => {
  expect(toFigure(sinceFirstEvent(begun, begun, false), "2026-03-01", "average").value).toBeCloseTo(50 / 3);
  expect(beginsWithin(begun, "2026-03-01", false)).toBe(false);
});

test("where no day has an event all of them stay", () => {
  const none = days.map((day) => ({ ...day, value: 0 }));
  expect(sinceFirstEvent(none, none, true)).toHaveLength(days.length);
});
