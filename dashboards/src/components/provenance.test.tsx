// @vitest-environment jsdom
import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test } from "vitest";
import type { Meta } from "@/lib/insights";
import { Provenance } from "./provenance";

const META: Meta = {
  sources: ["marts.agg_events_daily", "raw.events"],
  sql: "select 1",
  parameters: {},
  computed_at: "2026-03-15T10:00:08.000Z",
  fresh_until: "2026-03-15T10:00:04.000Z",
  unmodelled: null,
  data_version: "6f1d0c7b9a3e5d42",
  elapsed_ms: 18.4,
  cached: false,
  read_rows: 1,
  read_bytes: 1,
};

async function openWith(unmodelled: Meta["unmodelled"], parameters: Meta["parameters"] = {}) {
  render(<Provenance origins={[{ label: "Trend", meta: { ...META, unmodelled, parameters } }]} timezone="UTC" />);
  await userEvent.click(screen.getByRole("button", { name: /Where does this number come from/ }));
}

const UNTIL = "2026-03-15T10:00:05.000Z";

test("it says how many events are counted that no refresh has modelled yet", async () => {
  await openWith({ events: 1412, until: UNTIL, is_counted: true });
  expect(screen.getByText(/1,412 events that landed until .*: counted too/)).toBeTruthy();
});

test("it says that there are some which the answer does not have yet", async () => {
  await openWith({ events: null, until: UNTIL, is_counted: false });
  expect(screen.getByText(/^events that landed until .*: not in this answer yet/)).toBeTruthy();
});

test("it says nothing of them when all is modelled", async () => {
  await openWith(null);
  expect(screen.queryByText("Not modelled yet")).toBeNull();
});

test("of a long list of values it shows the first ones, and how many more there are", async () => {
  await openWith(null, { short: [1, 2], long: Array.from({ length: 30 }, (_, place) => `m${place}`) });
  expect(screen.getByText("1, 2")).toBeTruthy();
  expect(screen.getByText("m0, m1, m2, m3, m4, m5, m6, m7, m8, m9 … 20 more")).toBeTruthy();
});
