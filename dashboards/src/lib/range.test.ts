import { expect, test } from "vitest";
import { defaultInterval, intervalFits, previousRange, resolveRange } from "./range";

test("a preset ends with today, which it includes", () => {
  expect(resolveRange({ range: "7d" }, "2026-03-10")).toEqual({ from: "2026-03-04", to: "2026-03-11" });
  expect(resolveRange({ range: "today" }, "2026-03-10")).toEqual({ from: "2026-03-10", to: "2026-03-11" });
});

test("without a choice the last 30 days are shown", () => {
  expect(resolveRange({}, "2026-03-31")).toEqual({ from: "2026-03-02", to: "2026-04-01" });
});

test("a range of the user's own stays as it is when the day changes", () => {
  const own = { from: "2026-01-05", to: "2026-01-09" };
  expect(resolveRange(own, "2026-03-10")).toEqual(own);
});

test("the previous range has the same length and touches this one", () => {
  expect(previousRange({ from: "2026-03-04", to: "2026-03-11" })).toEqual({ from: "2026-02-25", to: "2026-03-04" });
});

test.each([
  ["2026-03-02", "hour"],
  ["2026-03-31", "day"],
  ["2026-12-31", "week"],
  ["2028-12-31", "month"],
])("a range from 1 March 2026 to %s is cut by %s", (to, interval) => {
  expect(defaultInterval({ from: "2026-03-01", to })).toBe(interval);
});

test("hours of a whole quarter do not fit", () => {
  const quarter = { from: "2026-01-01", to: "2026-04-01" };
  expect(intervalFits("hour", quarter)).toBe(false);
  expect(intervalFits("day", quarter)).toBe(true);
});
