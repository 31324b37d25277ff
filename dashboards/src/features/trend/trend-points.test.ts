import { expect, test } from "vitest";
import { summarize, toPoints } from "./trend-points";

const buckets = [
  { start: "2026-03-01T00:00:00+00:00", value: 4, is_complete: true },
  { start: "2026-03-02T00:00:00+00:00", value: 9, is_complete: false },
  { start: "2026-03-03T00:00:00+00:00", value: 0, is_complete: false },
];
const noon = new Date("2026-03-02T12:00:00Z");

test("a day that has not begun is not drawn as a fall to 0", () => {
  expect(toPoints(buckets, "day", noon).map(({ value }) => value)).toEqual([4, 9]);
});

test("the day that runs is drawn, and known as not complete", () => {
  expect(toPoints(buckets, "day", noon).at(-1)?.isComplete).toBe(false);
});

test("the summary names range and peak", () => {
  const summary = summarize(toPoints(buckets, "day", noon), "Events of cart per day");
  expect(summary).toContain("Events of cart per day, 2 points");
  expect(summary).toContain("Highest: 9");
  expect(summarize([], "Events")).toBe("Events: nothing to show");
});
