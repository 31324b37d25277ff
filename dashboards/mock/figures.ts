const DAY_MS = 86_400_000;

export const META = {
  sources: ["marts.fct_events"],
  sql: "with events as (\n  select event, person_id, timestamp\n  from marts.fct_events\n  where project_id = {project_id:UInt32}\n    and timestamp >= {start:DateTime64(3, 'UTC')} -- half-open\n    and timestamp < {end:DateTime64(3, 'UTC')}\n)\nselect count() as value\nfrom events",
  parameters: { project_id: 1, start: "2026-03-01 00:00:00.000", end: "2026-03-15 00:00:00.000" },
  computed_at: new Date().toISOString(),
  fresh_until: new Date(Date.now() - 90_000).toISOString() as string | null,
  unmodelled: { events: 412, until: new Date(Date.now() - 5_000).toISOString(), is_counted: true },
  data_version: "6f1d0c7b9a3e5d42",
  elapsed_ms: 18.4,
  cached: true,
  read_rows: 31_106,
  read_bytes: 1_493_088,
};

const NAMES = [
  "catalog",
  "product_view",
  "main",
  "search",
  "cart",
  "add_to_cart",
  "promo",
  "wishlist_with_an_unusually_long_event_name",
  "purchase",
  "login",
  "$identify",
];

export const EVENT_NAMES = NAMES.map((event, index) => ({
  event,
  events: Math.round(9146 / (index * 0.7 + 1)),
  persons: Math.round(518 / (index * 0.3 + 1)),
}));

export const eventNames = (names: typeof EVENT_NAMES) => names;

/** Repeatable noise between 0 and 1. */
function noise(seed: number): number {
  const value = Math.sin(seed * 12.9898) * 43758.5453;
  return value - Math.floor(value);
}

export function timeseries(query: URLSearchParams, isEmpty: boolean): object {
  const interval = query.get("interval") ?? "day";
  const stepMs = { hour: DAY_MS / 24, day: DAY_MS, week: 7 * DAY_MS, month: 30 * DAY_MS }[interval] ?? DAY_MS;
  const from = Date.parse(`${query.get("from")}T00:00:00Z`);
  const to = Date.parse(`${query.get("to")}T00:00:00Z`);
  const scale = { events: 380, persons: 41, sessions: 63 }[query.get("measure") ?? "events"] ?? 1;
  const buckets: object[] = [];
  for (let start = from; start < to; start += stepMs) {
    const wave = 1 + 0.3 * Math.sin((start / DAY_MS / 7) * 2 * Math.PI) + 0.25 * noise(start / stepMs);
    const value = isEmpty ? 0 : Math.round(scale * wave * (stepMs / DAY_MS));
    const is_complete = start + stepMs <= Date.now();
    buckets.push({ start: new Date(start).toISOString().replace(".000Z", "+00:00"), value, is_complete });
  }
  return {
    event: query.get("event"),
    interval,
    measure: query.get("measure") ?? "events",
    timezone: "Europe/Berlin",
    buckets,
  };
}

export function funnel(query: URLSearchParams): object {
  const rates = [1, 0.82, 0.41, 0.33, 0.121];
  const persons = query.getAll("step").map((_, index) => Math.round(518 * (rates[index] ?? 0.05)));
  const first = persons[0] ?? 0;
  return {
    order: "ordered",
    attempts: "best",
    window_ms: 14 * DAY_MS,
    is_complete: true,
    conversion: (persons.at(-1) ?? 0) / first,
    steps: query.getAll("step").map((event, index) => {
      const here = persons[index] ?? 0;
      const before = persons[index - 1];
      return {
        step: index + 1,
        event,
        persons: here,
        dropped_off: before === undefined ? 0 : before - here,
        conversion_from_first: here / first,
        conversion_from_previous: before === undefined ? null : here / before,
        median_ms: before === undefined ? null : 184_000 * 7 ** (index - 1),
        average_ms: before === undefined ? null : 260_512 * 7 ** (index - 1),
      };
    }),
  };
}

export function retention(query: URLSearchParams, isEmpty: boolean): object {
  const period = query.get("period") ?? "week";
  const stepMs = { day: DAY_MS, week: 7 * DAY_MS, month: 30 * DAY_MS }[period] ?? DAY_MS;
  const from = Date.parse(`${query.get("from")}T00:00:00Z`);
  const to = Date.parse(`${query.get("to")}T00:00:00Z`);
  const periods = Number(query.get("periods") ?? 8);
  const cohorts: { start: string; size: number; cells: { persons: number; is_complete: boolean }[] }[] = [];
  for (let start = from; start < to && !isEmpty; start += stepMs) {
    const size = Math.round(30 + 40 * noise(start));
    const cells = Array.from({ length: periods + 1 }, (_, index) => {
      const rate = index === 0 ? 1 : 0.42 / (index + 0.4) + 0.08 * noise(start + index);
      const persons = Math.round(size * rate);
      return {
        period_index: index,
        persons,
        rate: persons / size,
        is_complete: start + (index + 1) * stepMs <= Date.now(),
      };
    });
    cohorts.push({ start: new Date(start).toISOString().replace(".000Z", "+00:00"), size, cells });
  }
  const averages = Array.from({ length: periods + 1 }, (_, index) => {
    const ended = cohorts.filter(({ cells }) => cells[index]?.is_complete);
    const size = ended.reduce((sum, cohort) => sum + cohort.size, 0);
    const persons = ended.reduce((sum, { cells }) => sum + (cells[index]?.persons ?? 0), 0);
    return { period_index: index, size, persons, rate: size === 0 ? null : persons / size };
  });
  return {
    start_event: query.get("start_event"),
    return_event: query.get("return_event"),
    period,
    timezone: "Europe/Berlin",
    cohort: "first_time",
    clock: "calendar",
    return_rule: "on",
    cohorts,
    averages,
  };
}
