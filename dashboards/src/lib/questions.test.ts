import { expect, test } from "vitest";
import { funnelQuestion, funnelSteps, headlineQuestion, retentionQuestion, trendQuestion } from "./questions";

const march = { from: "2026-03-01", to: "2026-03-31" };

test("the trend asks for any event by day unless the address says otherwise", () => {
  expect(trendQuestion({}, march)).toEqual({ ...march, measure: "events", interval: "day" });
  expect(trendQuestion({ event: "cart", measure: "persons", interval: "week" }, march)).toEqual({
    ...march,
    event: "cart",
    measure: "persons",
    interval: "week",
  });
});

test("an interval that gives too many points yields to one that fits", () => {
  expect(trendQuestion({ interval: "hour" }, { from: "2026-01-01", to: "2026-04-01" }).interval).toBe("day");
});

test("headline figures and their comparison come from one question", () => {
  expect(headlineQuestion("persons", { from: "2026-03-08", to: "2026-03-15" })).toEqual({
    from: "2026-03-01",
    to: "2026-03-15",
    measure: "persons",
    interval: "day",
  });
});

test("the funnel begins with the demo's checkout where its events exist", () => {
  const names = ["purchase", "main", "catalog", "add_to_cart", "product_view", "cart"];
  expect(funnelSteps({}, names)).toEqual(["catalog", "product_view", "add_to_cart", "cart", "purchase"]);
});

test("elsewhere the funnel begins with the most frequent events, the collector's own left out", () => {
  expect(funnelSteps({}, ["$pageview", "signup", "invite", "upgrade", "cancel"])).toEqual([
    "signup",
    "invite",
    "upgrade",
  ]);
});

test("two events are enough for a funnel, one is not", () => {
  expect(funnelSteps({}, ["$pageview", "signup"])).toEqual(["$pageview", "signup"]);
  expect(funnelSteps({}, ["signup"])).toBeNull();
});

test("steps in the address win, whether they happened or not", () => {
  expect(funnelSteps({ step: ["a", "b"] }, [])).toEqual(["a", "b"]);
});

test("the conversion window is 14 days unless chosen", () => {
  expect(funnelQuestion({}, march, ["a", "b"]).window).toBe("14d");
  expect(funnelQuestion({ window: "1h" }, march, ["a", "b"]).window).toBe("1h");
});

test("retention follows weeks over a month and days over a week, never longer than the range", () => {
  expect(retentionQuestion({}, march)).toEqual({ ...march, period: "week", periods: 5 });
  expect(retentionQuestion({}, { from: "2026-03-01", to: "2026-03-08" })).toMatchObject({ period: "day", periods: 7 });
  expect(retentionQuestion({ period: "day" }, march).periods).toBe(14);
});
