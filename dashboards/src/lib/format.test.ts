import { expect, test } from "vitest";
import {
  formatAge,
  formatAverage,
  formatBucketLong,
  formatBytes,
  formatDuration,
  formatMoment,
  formatRate,
  formatWindow,
} from "./format";

test.each([
  [0, "0 ms"],
  [450, "450 ms"],
  [999.6, "1 s"],
  [45_000, "45 s"],
  [185_000, "3 min 5 s"],
  [3_600_000, "1 h"],
  [9_015_000, "2 h 30 min"],
  [86_400_000, "1 d"],
  [187_200_000, "2 d 4 h"],
])("%d ms read as %s", (ms, text) => {
  expect(formatDuration(ms)).toBe(text);
});

test("rounding never makes a 60th second or minute", () => {
  expect(formatDuration(59_700)).toBe("1 min");
  expect(formatDuration(3_599_700)).toBe("1 h");
  expect(formatDuration(86_399_000)).toBe("1 d");
});

test("a rate without a value is a dash, not zero", () => {
  expect(formatRate(null)).toBe("–");
  expect(formatRate(0)).toBe("0%");
  expect(formatRate(0.12345)).toBe("12.3%");
});

test("windows are named in the largest unit that divides them", () => {
  expect(formatWindow(1_209_600_000)).toBe("14 days");
  expect(formatWindow(3_600_000)).toBe("1 hour");
  expect(formatWindow(1_800_000)).toBe("30 minutes");
});

test("averages keep a decimal only while it matters", () => {
  expect(formatAverage(46.23)).toBe("46.2");
  expect(formatAverage(1234.5)).toBe("1,235");
});

test("the hour that comes twice is told apart by its offset", () => {
  const first = formatBucketLong("2026-10-25T02:00:00+02:00", "hour");
  const second = formatBucketLong("2026-10-25T02:00:00+01:00", "hour");
  expect(first).not.toBe(second);
  expect(first).toContain("UTC+02:00");
});

test("a bucket is named by the project's day whatever the browser's zone", () => {
  expect(formatBucketLong("2026-03-29T00:00:00+13:45", "day")).toContain("29");
});

test("a moment of today is a time, another day's has its day", () => {
  const now = new Date("2026-03-10T12:00:00Z");
  expect(formatMoment("2026-03-10T11:03:00Z", "UTC", now)).toMatch(/^11:03/);
  expect(formatMoment("2026-03-09T11:03:00Z", "UTC", now)).toContain("9");
});

test("an age never claims more than has passed", () => {
  expect([15.9 * 60_000, 119 * 60_000, 47 * 3_600_000].map(formatAge)).toEqual(["15 min", "1 h", "1 d"]);
});

test("bytes are counted in thousands", () => {
  expect(formatBytes(0)).toBe("0 B");
  expect(formatBytes(1_493_088)).toBe("1.5 MB");
});
