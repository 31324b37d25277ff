import type { operations } from "@/client/schema";
import { daysBetween } from "@/lib/calendar";
import { type DayRange, defaultInterval, intervalFits, previousRange } from "@/lib/range";
import type { Interval, Measure, Period, Search } from "@/lib/search";

/** What is asked, whatever the shape of the answer: the page reads JSON, and no plan. */
type Query<Name extends keyof operations> = operations[Name]["parameters"] extends { query: infer Parameters }
  ? Omit<Parameters, "format" | "explain">
  : never;

export type RangeQuestion = Query<"list_event_names">;
export type TimeseriesQuestion = Query<"query_timeseries">;
export type FunnelQuestion = Query<"query_funnel">;
export type RetentionQuestion = Query<"query_retention">;

export const DEFAULT_WINDOW = "14d";
const DEMO_FUNNEL = ["catalog", "product_view", "add_to_cart", "cart", "purchase"];
// The API takes instants from 1970 on; east of UTC the first day begins before.
const EARLIEST = "1970-01-02";
const PERIODS_SHOWN: Record<Period, number> = { day: 14, week: 8, month: 6 };
const PERIOD_DAYS: Record<Period, number> = { day: 1, week: 7, month: 28 };

/** The one place where the view's address becomes the API's questions. */
export function trendQuestion(
  search: Search,
  range: DayRange,
): Required<Omit<TimeseriesQuestion, "event">> & Pick<TimeseriesQuestion, "event"> {
  return {
    ...range,
    ...(search.event !== undefined && { event: search.event }),
    measure: search.measure ?? "events",
    interval: chosenInterval(search, range),
  };
}

function chosenInterval(search: Search, range: DayRange): Interval {
  const chosen = search.interval;
  return chosen !== undefined && intervalFits(chosen, range) ? chosen : defaultInterval(range);
}

/** Days of the range and of as many before it, so that one question answers both figure and comparison. */
export function headlineQuestion(measure: Measure, range: DayRange): TimeseriesQuestion {
  return { from: previousRange(range).from, to: range.to, measure, interval: "day" };
}

/** All that came before those days: whether there was anything at all. */
export function earlierQuestion(range: DayRange): RangeQuestion {
  return { from: EARLIEST, to: previousRange(range).from };
}

export function newPersonsQuestion(range: DayRange): RetentionQuestion {
  return { from: previousRange(range).from, to: range.to, period: "day", periods: 1 };
}

/** The steps of the address; else the demo shop's checkout, else the most frequent events; null below two events. */
export function funnelSteps(search: Search, eventNames: readonly string[]): string[] | null {
  if (search.step !== undefined) return search.step;
  const demo = DEMO_FUNNEL.filter((name) => eventNames.includes(name));
  if (demo.length >= 3) return demo;
  const frequent = eventNames.filter((name) => !name.startsWith("$")).slice(0, 3);
  if (frequent.length >= 2) return frequent;
  return eventNames.length >= 2 ? eventNames.slice(0, 2) : null;
}

export function funnelQuestion(search: Search, range: DayRange, steps: string[]): FunnelQuestion {
  return { ...range, step: steps, window: search.window ?? DEFAULT_WINDOW };
}

/** The period of the address, else weeks from three weeks on. */
function retentionPeriod(search: Search, range: DayRange): Period {
  return search.period ?? (daysBetween(range.from, range.to) >= 21 ? "week" : "day");
}

export function retentionQuestion(search: Search, range: DayRange): RetentionQuestion & { period: Period } {
  const period = retentionPeriod(search, range);
  const inRange = Math.ceil(daysBetween(range.from, range.to) / PERIOD_DAYS[period]);
  return {
    ...range,
    ...(search.start_event !== undefined && { start_event: search.start_event }),
    ...(search.return_event !== undefined && { return_event: search.return_event }),
    period,
    periods: Math.max(1, Math.min(PERIODS_SHOWN[period], inRange)),
  };
}
