import { addDays, daysBetween, type IsoDate } from "@/lib/calendar";
import type { Interval } from "@/lib/search";

/** Half-open range of days, `[from, to)`, in the project's time zone. */
export interface DayRange {
  from: IsoDate;
  to: IsoDate;
}

export const PRESETS = {
  today: { label: "Today", days: 1 },
  "7d": { label: "Last 7 days", days: 7 },
  "30d": { label: "Last 30 days", days: 30 },
  "90d": { label: "Last 90 days", days: 90 },
  "180d": { label: "Last 180 days", days: 180 },
  "365d": { label: "Last 365 days", days: 365 },
} as const;

export type Preset = keyof typeof PRESETS;

export const DEFAULT_PRESET: Preset = "30d";

/** The range that the address names: a preset ends with today, a range of the user's own is taken as it is. */
export function resolveRange(chosen: { range?: Preset; from?: IsoDate; to?: IsoDate }, today: IsoDate): DayRange {
  if (chosen.from !== undefined && chosen.to !== undefined) return { from: chosen.from, to: chosen.to };
  const to = addDays(today, 1);
  return { from: addDays(to, -PRESETS[chosen.range ?? DEFAULT_PRESET].days), to };
}

/** The range of the same length right before. */
export function previousRange(range: DayRange): DayRange {
  return { from: addDays(range.from, -daysBetween(range.from, range.to)), to: range.from };
}

const MOST_DAYS: Record<Interval, number> = { hour: 31, day: 1100, week: 3700, month: 36_500 };

/** Whether a chart of the range in this interval can still be read. */
export function intervalFits(interval: Interval, range: DayRange): boolean {
  return daysBetween(range.from, range.to) <= MOST_DAYS[interval];
}

/** The interval that shows the range in some 24 to 100 points. */
export function defaultInterval(range: DayRange): Interval {
  const days = daysBetween(range.from, range.to);
  if (days <= 2) return "hour";
  if (days <= 100) return "day";
  if (days <= 550) return "week";
  return "month";
}
