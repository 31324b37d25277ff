import type { Interval } from "@/lib/search";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

const whole = new Intl.NumberFormat(undefined, { maximumFractionDigits: 0 });
const oneDigit = new Intl.NumberFormat(undefined, { maximumFractionDigits: 1 });
const twoDigits = new Intl.NumberFormat(undefined, { maximumFractionDigits: 2 });
const compactNumber = new Intl.NumberFormat(undefined, { notation: "compact", maximumFractionDigits: 1 });
const percent = new Intl.NumberFormat(undefined, { style: "percent", maximumFractionDigits: 1 });

export const formatCount = (value: number): string => whole.format(value);

/** An average: one decimal below 100, none from there on. */
export const formatAverage = (value: number): string => (value < 100 ? oneDigit : whole).format(value);

/** A figure of any kind: two decimals at most; one that has no value is a dash. */
export const formatFigure = (value: number | null): string => (value === null ? "–" : twoDigits.format(value));

/** Short form for axes: 1.2K. */
export const formatCompact = (value: number): string => compactNumber.format(value);

/** A rate between 0 and 1 as percent; a rate that has no value is a dash, never 0 %. */
export const formatRate = (rate: number | null): string => (rate === null ? "–" : percent.format(rate));

function two(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large} ${largeUnit}` : `${large} ${largeUnit} ${small} ${smallUnit}`;
}

/** A length of time in its two largest units: `2 d 4 h`, `3 min 5 s`, `450 ms`. */
export function formatDuration(ms: number): string {
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return two(Math.floor(seconds / 60), "min", seconds % 60, "s");
  const minutes = Math.round(ms / MINUTE_MS);
  if (minutes < 24 * 60) return two(Math.floor(minutes / 60), "h", minutes % 60, "min");
  const hours = Math.round(ms / HOUR_MS);
  return two(Math.floor(hours / 24), "d", hours % 24, "h");
}

/** An age in its largest unit: `25 min`, `3 h`, `12 d`. */
export function formatAge(ms: number): string {
  const minutes = Math.floor(ms / MINUTE_MS);
  if (minutes < 60) return `${minutes} min`;
  return minutes < 24 * 60 ? `${Math.floor(minutes / 60)} h` : `${Math.floor(minutes / 60 / 24)} d`;
}

/** Fixed lengths, as conversion windows count them: `14 days`, `1 hour`. */
export function formatWindow(ms: number): string {
  const [value, unit] =
    ms % DAY_MS === 0 ? [ms / DAY_MS, "day"] : ms % HOUR_MS === 0 ? [ms / HOUR_MS, "hour"] : [ms / MINUTE_MS, "minute"];
  return `${formatAverage(value)} ${unit}${value === 1 ? "" : "s"}`;
}

export function formatBytes(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  const power = Math.min(units.length - 1, bytes < 1 ? 0 : Math.floor(Math.log10(bytes) / 3));
  return `${oneDigit.format(bytes / 1000 ** power)} ${units[power]}`;
}

/** Clock time of an instant in the project's zone, with the day when that is not today. */
export function formatMoment(instant: string | Date, timezone: string, now: Date): string {
  const moment = new Date(instant);
  const day = (value: Date) => value.toLocaleDateString(undefined, { timeZone: timezone });
  const time = { hour: "2-digit", minute: "2-digit", timeZone: timezone } as const;
  if (day(moment) === day(now)) return moment.toLocaleTimeString(undefined, time);
  return moment.toLocaleString(undefined, { day: "numeric", month: "short", ...time });
}

/** An instant to the second with its offset: what provenance shows. */
export function formatInstant(instant: string, timezone: string): string {
  return new Date(instant).toLocaleString(undefined, {
    dateStyle: "medium",
    timeStyle: "long",
    timeZone: timezone,
  });
}

/** A day of the calendar, in no zone at all. */
export function formatDay(date: string, style: "short" | "long" = "short"): string {
  return new Date(`${date}T00:00:00Z`).toLocaleDateString(undefined, {
    timeZone: "UTC",
    day: "numeric",
    month: "short",
    ...(style === "long" && { year: "numeric" }),
  });
}

/** Name of a bucket on an axis. The instant carries the project's offset, so its own text is read, not the browser's zone. */
export function formatBucket(start: string, interval: Interval): string {
  const date = new Date(`${start.slice(0, 19)}Z`);
  const options: Record<Interval, Intl.DateTimeFormatOptions> = {
    hour: { hour: "2-digit", minute: "2-digit" },
    day: { day: "numeric", month: "short" },
    week: { day: "numeric", month: "short" },
    month: { month: "short", year: "2-digit" },
  };
  return date.toLocaleString(undefined, { timeZone: "UTC", ...options[interval] });
}

/** Name of a bucket where there is room: with weekday, year and, for hours, the offset that tells a doubled hour apart. */
export function formatBucketLong(start: string, interval: Interval): string {
  const date = new Date(`${start.slice(0, 19)}Z`);
  const options: Record<Interval, Intl.DateTimeFormatOptions> = {
    hour: { weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" },
    day: { weekday: "short", day: "numeric", month: "short", year: "numeric" },
    week: { day: "numeric", month: "short", year: "numeric" },
    month: { month: "long", year: "numeric" },
  };
  const name = date.toLocaleString(undefined, { timeZone: "UTC", ...options[interval] });
  if (interval === "hour") return `${name} ${formatOffset(start)}`;
  return interval === "week" ? `Week of ${name}` : name;
}

function formatOffset(instant: string): string {
  const offset = instant.endsWith("Z") ? "+00:00" : instant.slice(-6);
  return offset === "+00:00" ? "UTC" : `UTC${offset}`;
}
