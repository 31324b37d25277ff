import { expect, test } from "vitest";
import { compact, formatQueryString, parseQueryString, readSearch, type Search } from "./search";

const read = (query: string) => readSearch(parseQueryString(query));
const again = (view: Search) => readSearch({ ...view });

test("a view survives its address, repeated steps and odd names too", () => {
  const view: Search = {
    project: 3,
    from: "2026-01-01",
    to: "2026-02-01",
    event: "Add to cart & pay = 100%",
    measure: "persons",
    interval: "week",
    step: ["view", "buy", "view", "buy"],
    window: "7d",
    start_event: "$pageview",
    return_event: "+ü?",
    period: "month",
    unit: "persons",
  };
  expect(read(formatQueryString(view))).toEqual(view);
  expect(again(view)).toEqual(view);
});

test.each([
  "",
  "?project=2",
  "?project=0x10&range=7d",
  "?range=7d&from=2026-01-01&to=2026-02-01",
  "?step=a&step=&step=b&step=a&event=404",
  "?project=one&measure=revenue&step=only_one",
])("what was read is read again without a change: %s", (query) => {
  const view = read(query);
  expect(again(view)).toEqual(view);
});

test.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, null, ["1", "2"], {}])("%s is no project", (project) => {
  expect(readSearch({ project })).toEqual({});
});

test("an event whose name is a number stays a name", () => {
  expect(read("?event=404").event).toBe("404");
});

test("the default view has the shortest address", () => {
  expect(formatQueryString({})).toBe("");
  expect(formatQueryString(compact({ event: undefined, step: undefined }))).toBe("");
});

test.each([
  "?measure=revenue",
  "?interval=year",
  "?range=forever",
  "?project=-1",
  "?project=one",
  "?step=only_one",
  "?window=5y",
  "?event=",
  "?unknown=1",
])("what an address says wrongly falls back to the default: %s", (query) => {
  expect(read(query)).toEqual({});
});

test("half a range, or one that ends before it begins, is none", () => {
  expect(read("?from=2026-01-01")).toEqual({});
  expect(read("?from=2026-02-01&to=2026-02-01")).toEqual({});
  expect(read("?from=2026-02-30&to=2026-03-05")).toEqual({});
});

test("a range of one's own wins over a preset", () => {
  expect(read("?range=7d&from=2026-01-01&to=2026-01-02")).toEqual({ from: "2026-01-01", to: "2026-01-02" });
});

test("a funnel takes at most 20 steps from an address", () => {
  const query = `?${Array.from({ length: 30 }, (_, index) => `step=s${index}`).join("&")}`;
  expect(read(query).step).toHaveLength(20);
});
