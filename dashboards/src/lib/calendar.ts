/** A day of the calendar, `2026-03-01`, in the project's time zone. */
export type IsoDate = string;

const DAY_MS = 86_400_000;

function toUtc(date: IsoDate): Date {
  return new Date(`${date}T00:00:00Z`);
}

function fromUtc(instant: Date): IsoDate {
  return instant.toISOString().slice(0, 10);
}

/** Whether the text is a day that the calendar has: `2026-02-30` is not. */
export function isIsoDate(text: string): text is IsoDate {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text)) return false;
  const instant = toUtc(text);
  return !Number.isNaN(instant.getTime()) && fromUtc(instant) === text;
}

/** The day that `now` falls on in the time zone. */
export function todayIn(timezone: string, now: Date): IsoDate {
  const parts = new Intl.DateTimeFormat("en-US", {
    timeZone: timezone,
    calendar: "gregory",
    numberingSystem: "latn",
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
  }).formatToParts(now);
  const part = (type: string) => parts.find((found) => found.type === type)?.value ?? "";
  return `${part("year").padStart(4, "0")}-${part("month")}-${part("day")}`;
}

export function addDays(date: IsoDate, days: number): IsoDate {
  return fromUtc(new Date(toUtc(date).getTime() + days * DAY_MS));
}

/** The first of the month, so many months later. */
export function addMonths(firstOfMonth: IsoDate, months: number): IsoDate {
  const instant = toUtc(firstOfMonth);
  instant.setUTCMonth(instant.getUTCMonth() + months);
  return fromUtc(instant);
}

/** Days from `start` to `end`, the length of the half-open range between them. */
export function daysBetween(start: IsoDate, end: IsoDate): number {
  return Math.round((toUtc(end).getTime() - toUtc(start).getTime()) / DAY_MS);
}

/** The calendar day that an instant with its offset, as the API writes it, says of itself. */
export function dateOf(instant: string): IsoDate {
  return instant.slice(0, 10);
}
