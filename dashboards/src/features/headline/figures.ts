import { dateOf, type IsoDate } from "@/lib/calendar";
import type { Bucket, RetentionCohort } from "@/lib/insights";

export interface Figure {
  /** Null where there is nothing to average yet. */
  value: number | null;
  /** Relative to the period before, by the average of complete days; null where that was 0 or has no complete day. */
  change: number | null;
  /** Daily values of the range, the unfinished day left out. */
  shape: number[];
  /** Whether the value is of a day that has not ended, for want of any that has. */
  isSoFar: boolean;
}

interface Day {
  date: IsoDate;
  value: number;
  isComplete: boolean;
}

export function toDays(buckets: readonly Bucket[]): Day[] {
  return buckets.map(({ start, value, is_complete }) => ({ date: dateOf(start), value, isComplete: is_complete }));
}

/** Cohort sizes by day. The API leaves out days on which nobody was new; they count as 0. */
export function cohortDays(cohorts: readonly RetentionCohort[], days: readonly Day[]): Day[] {
  const sizes = new Map(cohorts.map(({ start, size }) => [dateOf(start), size]));
  return days.map((day) => ({ ...day, value: sizes.get(day.date) ?? 0 }));
}

/**
 * The days from the first one with an event on, where there was none before all of them (`isBeginning`): what came
 * before a project has events is no day without any. Without an event all days stay.
 */
export function sinceFirstEvent(days: readonly Day[], events: readonly Day[], isBeginning: boolean): readonly Day[] {
  const first = events.find(({ value }) => value > 0)?.date;
  return isBeginning && first !== undefined ? days.filter(({ date }) => date >= first) : days;
}

/** Whether the range itself begins before the first day with an event, so that an average leaves days of it out. */
export function beginsWithin(events: readonly Day[], from: IsoDate, isBeginning: boolean): boolean {
  const first = events.find(({ value }) => value > 0)?.date;
  return isBeginning && first !== undefined && first > from;
}

function average(values: readonly number[]): number | null {
  return values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length;
}

/**
 * One headline figure from the days of the range (from `from` on) and of the period before it.
 *
 * A `total` adds all days, today included. An `average` takes complete days only, since a day that has just begun would
 * pull it down; where none is complete it shows the day so far.
 */
export function toFigure(days: readonly Day[], from: IsoDate, kind: "total" | "average"): Figure {
  const current = days.filter(({ date }) => date >= from);
  const complete = current.filter(({ isComplete }) => isComplete).map(({ value }) => value);
  const before = days.filter(({ date }) => date < from).map(({ value }) => value);
  const now = average(complete);
  const then = average(before);
  const isSoFar = complete.length === 0 && current.length > 0;
  const total = current.reduce((sum, { value }) => sum + value, 0);
  return {
    value: kind === "total" || isSoFar ? total : now,
    change: now === null || then === null || then === 0 ? null : now / then - 1,
    shape: complete,
    isSoFar,
  };
}
