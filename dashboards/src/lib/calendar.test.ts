import { expect, test } from "vitest";
import { addDays, addMonths, dateOf, daysBetween, isIsoDate, todayIn } from "./calendar";

test("today is the project's day, not the browser's", () => {
  const instant = new Date("2026-03-01T23:30:00Z");
  expect(todayIn("Europe/Berlin", instant)).toBe("2026-03-02");
  expect(todayIn("America/New_York", instant)).toBe("2026-03-01");
  expect(todayIn("Asia/Kathmandu", instant)).toBe("2026-03-02");
});

test("days are counted by the calendar, across changes of the clock and leap days", () => {
  expect(addDays("2026-03-28", 2)).toBe("2026-03-30");
  expect(addDays("2028-03-01", -1)).toBe("2028-02-29");
  expect(addMonths("2026-11-01", 3)).toBe("2027-02-01");
  expect(daysBetween("2026-03-28", "2026-03-30")).toBe(2);
  expect(daysBetween("2026-10-24", "2026-10-26")).toBe(2);
});

test("a day that the calendar does not have is no date", () => {
  expect(isIsoDate("2026-02-28")).toBe(true);
  for (const text of ["2026-02-30", "2026-2-3", "yesterday", "2026-02-28T00:00:00Z"])
    expect(isIsoDate(text)).toBe(false);
});

test("an instant with offset says its own day", () => {
  expect(dateOf("2026-03-29T00:00:00+01:00")).toBe("2026-03-29");
});
