// @vitest-environment jsdom

import { QueryClient, QueryClientProvider, useQuery } from "@tanstack/react-query";
import { act, render, screen } from "@testing-library/react";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type Asked, silenceOver, useSilence } from "./silence";

const NOW = 1_000_000;
const asked = (parts: Partial<Asked>): Asked => ({
  askedAt: null,
  answeredAt: NOW - 60_000,
  hasFailed: false,
  ...parts,
});

test("answers that came, and questions asked a moment ago, are no silence", () => {
  expect(silenceOver([], NOW)).toBeNull();
  expect(silenceOver([asked({}), asked({ askedAt: NOW - 9999 })], NOW)).toBeNull();
});

test("ten seconds without an answer are told since the oldest figures that wait for it", () => {
  const all = [
    asked({ answeredAt: NOW - 500_000 }),
    asked({ askedAt: NOW - 10_000, answeredAt: NOW - 70_000 }),
    asked({ askedAt: NOW - 12_000, answeredAt: NOW - 80_000 }),
  ];
  expect(silenceOver(all, NOW)).toEqual({ kind: "late", sinceMs: NOW - 80_000 });
});

test("a first question that nobody answers has no since", () => {
  expect(silenceOver([asked({ askedAt: 0, answeredAt: null })], NOW)).toEqual({ kind: "late", sinceMs: null });
});

test("a failure is told where figures stay; where there are none the part tells it", () => {
  expect(silenceOver([asked({ hasFailed: true })], NOW)).toEqual({ kind: "failed", sinceMs: NOW - 60_000 });
  expect(silenceOver([asked({ hasFailed: true, answeredAt: null })], NOW)).toBeNull();
});

test("a late answer weighs more than a failed one", () => {
  const all = [asked({ hasFailed: true }), asked({ askedAt: NOW - 20_000, answeredAt: NOW - 30_000 })];
  expect(silenceOver(all, NOW)).toEqual({ kind: "late", sinceMs: NOW - 30_000 });
});

describe("on the page", () => {
  beforeEach(() => vi.useFakeTimers());
  afterEach(() => vi.useRealTimers());

  const later = (ms: number) => act(() => vi.advanceTimersByTimeAsync(ms));

  test("a refresh that hangs is told after ten seconds, and no more once it is answered", async () => {
    let answer = (_: string) => undefined as unknown;
    const ask = () => new Promise<string>((resolve) => (answer = resolve));
    const client = new QueryClient({ defaultOptions: { queries: { retry: false } } });
    function Page() {
      const { data } = useQuery({ queryKey: ["events", 1], queryFn: ask });
      useQuery({ queryKey: ["events", 2], queryFn: () => new Promise(() => undefined) });
      const silence = useSilence(1);
      return (
        <p>
          {data} {silence === null ? "answered" : silence.kind}
        </p>
      );
    }
    render(
      <QueryClientProvider client={client}>
        <Page />
      </QueryClientProvider>,
    );
    await later(9000);
    answer("42");
    await later(60_000);
    expect(screen.getByText("42 answered")).toBeTruthy();

    void client.invalidateQueries();
    await later(9900);
    expect(screen.getByText("42 answered")).toBeTruthy();
    await later(200);
    expect(screen.getByText("42 late")).toBeTruthy();

    answer("43");
    await later(10);
    expect(screen.getByText("43 answered")).toBeTruthy();
  });
});
