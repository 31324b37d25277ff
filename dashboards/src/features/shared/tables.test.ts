import { expect, test } from "vitest";
import { tablesOf } from "./tables";

const named = (text: string) => ({ text, kind: "value" as const });

test("the lines of a trend are told apart by period and value, and what has not ended says so", () => {
  const point = (value: number | null, is_complete: boolean) => ({
    start: "2026-03-01T00:00:00+01:00",
    is_complete,
    figures: { A: value },
  });
  const lines = [
    { period: "current", breakdown: [named("de")], points: [point(1.234, false)] },
    { period: "previous", breakdown: [named("de")], points: [point(null, true)] },
  ];
  const [table] = tablesOf({ kind: "trend", data: { interval: "month", timezone: "Europe/Berlin", lines } });
  expect(table).toEqual({
    title: null,
    columns: ["When", "Period", "By", "A"],
    labels: 3,
    rows: [
      ["March 2026 (so far)", "range", "de", "1.23"],
      ["March 2026", "before", "de", "–"],
    ],
  });
});

test("without periods and values a table has none of their columns", () => {
  const lines = [{ period: "current", breakdown: [], points: [] }];
  const [table] = tablesOf({ kind: "web", data: { counted: "sessions", interval: "day", timezone: "UTC", lines } });
  expect(table?.columns).toEqual(["When", "Visitors", "Sessions", "Views", "Bounce rate", "Average duration"]);
});

test("the cells of a retention are shares, by the brackets that were asked for", () => {
  const cells = [
    { period_index: 0, persons: 4, rate: 1, is_complete: true },
    { period_index: 1, persons: 1, rate: 0.25, is_complete: false },
  ];
  const cohorts = [{ start: "2026-03-02T00:00:00+00:00", size: 4, cells }];
  const data = {
    period: "week",
    brackets: [
      [0, 0],
      [1, 3],
    ],
    lines: [{ breakdown: [], cohorts, averages: [] }],
  };
  expect(tablesOf({ kind: "retention", data })).toEqual([
    {
      title: null,
      columns: ["Cohort", "Persons", "week 0", "week 1–3"],
      labels: 1,
      rows: [["Week of Mar 2, 2026", "4", "100%", "25% (so far)"]],
    },
  ]);
});

test("a step of a funnel has its number, its shares and the time that it took", () => {
  const step = {
    step: 2,
    name: "purchase",
    persons: 1500,
    conversion_from_first: 0.5,
    conversion_from_previous: null,
    median_ms: 61_000,
  };
  const data = { lines: [{ breakdown: [], conversion: 0.5, steps: [step] }] };
  expect(tablesOf({ kind: "funnel", data })[0]?.rows).toEqual([["2. purchase", "1,500", "50%", "–", "1 min 1 s"]]);
});

test("a funnel over time has a row for each bucket and a column for each step, and its times a row for each bin", () => {
  const step = { step: 1, name: "catalog", persons: 8, incomplete_persons: 0, conversion_from_first: 1 };
  const bought = { ...step, step: 2, name: "purchase", persons: 2, conversion_from_first: 0.25 };
  const buckets = [
    { start: "2026-03-02T00:00:00+00:00", is_complete: true, steps: [step, bought] },
    { start: "2026-03-09T00:00:00+00:00", is_complete: false, steps: [{ ...step, incomplete_persons: 3 }, bought] },
  ];
  const lines = [{ breakdown: [named("de")], buckets }];
  expect(tablesOf({ kind: "funnel_trend", data: { interval: "week", timezone: "UTC", lines } })[0]).toEqual({
    title: null,
    columns: ["Attempt began", "By", "Conversion", "1. catalog", "2. purchase"],
    labels: 2,
    rows: [
      ["Week of Mar 2, 2026", "de", "25%", "8", "2"],
      ["Week of Mar 9, 2026 (so far)", "de", "25% (so far)", "8", "2"],
    ],
  });
  const bins = [{ from_ms: 0, to_ms: 3_600_000, persons: 41 }];
  const between = { from_step: 1, from_name: "catalog", to_step: 2, to_name: "purchase" };
  const data = { ...between, lines: [{ breakdown: [], bins }] };
  expect(tablesOf({ kind: "funnel_times", data })[0]).toEqual({
    title: "From 1. catalog to 2. purchase",
    columns: ["At least", "Less than", "Persons"],
    labels: 2,
    rows: [["0 ms", "1 h", "41"]],
  });
});
