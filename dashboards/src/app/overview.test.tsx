// @vitest-environment jsdom

import { QueryClientProvider } from "@tanstack/react-query";
import { act, render, screen } from "@testing-library/react";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { ViewProvider } from "@/lib/view";
import { Overview } from "./overview";
import { createQueryClient } from "./query-client";

// It looks for a screen as soon as it is imported, and jsdom has none.
vi.mock("uplot", () => ({ default: class {} }));

const project = { id: 1, name: "Shop", timezone: "UTC", week_start: 1, apiKey: "rk_shop" };
const range = { from: "2026-01-01", to: "2026-01-31" };
const notYet = {
  status: 503,
  code: "not_modelled_yet",
  title: "Not modelled",
  detail: "fct_events does not exist yet.",
};

let asked: string[] = [];
let eventNames: (() => Response) | null = null;

beforeEach(() => {
  vi.useFakeTimers();
  asked = [];
  eventNames = null;
  vi.stubGlobal("fetch", async (request: Request) => {
    const question = new URL(request.url).pathname.split("/").at(-1) ?? "";
    asked.push(question);
    if (question === "event-names" && eventNames) return eventNames();
    return new Response(JSON.stringify(notYet), {
      status: 503,
      headers: { "content-type": "application/problem+json" },
    });
  });
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const later = (ms: number) => act(() => vi.advanceTimersByTimeAsync(ms));

function open() {
  render(
    <QueryClientProvider client={createQueryClient()}>
      <ViewProvider value={{ project, range, search: {}, change: () => undefined }}>
        <Overview />
      </ViewProvider>
    </QueryClientProvider>,
  );
}

test("before the first model run one sentence says so, and nothing is asked twice", async () => {
  open();
  await later(5000);
  expect(screen.getAllByText("The first figures are on their way")).toHaveLength(1);
  expect(screen.queryByRole("alert")).toBeNull();
  expect(screen.queryByRole("region")).toBeNull();
  expect(asked.filter((question) => question === "event-names")).toHaveLength(1);
});

test("one question looks again by itself until the models have run", async () => {
  open();
  await later(5000);
  asked = [];
  await later(60_000);
  expect(asked).toEqual(["event-names", "event-names"]);

  const meta = { fresh_until: null, sources: [], parameters: {} };
  eventNames = () => Response.json({ data: [], meta });
  await later(30_000);
  expect(screen.getByText("Shop waits for its first event")).toBeTruthy();
});

test("the list of events and the funnel say what each of them counts", async () => {
  const meta = { fresh_until: "2026-01-30T00:00:00Z", sources: [], parameters: {} };
  const data = [
    { event: "purchase", events: 3, persons: 1 },
    { event: "catalog", events: 1, persons: 1 },
  ];
  eventNames = () => Response.json({ data, meta });
  open();
  await later(5000);
  expect(screen.getByText(/Events counts every time .* Persons each person once/)).toBeTruthy();
  expect(screen.getByText(/each person's furthest attempt counts, once.* How often an event happened/)).toBeTruthy();
});
