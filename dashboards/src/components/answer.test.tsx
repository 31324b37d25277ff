// @vitest-environment jsdom

import { QueryClient, QueryClientProvider, useQuery } from "@tanstack/react-query";
import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test, vi } from "vitest";
import { ApiProblem } from "@/lib/api";
import { Answer } from "./answer";

const problem = new ApiProblem({ status: 504, code: "query_timeout", title: "Too slow", detail: "It took over 30 s." });

function show(ask: () => Promise<string>) {
  const client = new QueryClient({ defaultOptions: { queries: { retry: false } } });
  function Asking() {
    const query = useQuery({ queryKey: ["answer"], queryFn: ask });
    return (
      <Answer query={query} skeleton={<p>grey boxes</p>}>
        {(text) => <p>{text}</p>}
      </Answer>
    );
  }
  render(
    <QueryClientProvider client={client}>
      <Asking />
    </QueryClientProvider>,
  );
  return client;
}

test("a question that is being asked shows a skeleton and says that it loads", () => {
  show(() => new Promise(() => undefined));
  expect(screen.getByText("grey boxes")).toBeTruthy();
  expect(screen.getByRole("status").textContent).toBe("Loading");
});

test("a failure shows title, detail and code, and can be tried again", async () => {
  const ask = vi.fn<() => Promise<string>>().mockRejectedValueOnce(problem).mockResolvedValueOnce("42");
  show(ask);
  const alert = await screen.findByRole("alert");
  for (const part of ["Too slow", "It took over 30 s.", "query_timeout"]) expect(alert.textContent).toContain(part);
  await userEvent.click(screen.getByRole("button", { name: "Try again" }));
  expect(await screen.findByText("42")).toBeTruthy();
  expect(screen.queryByRole("alert")).toBeNull();
});

test("when a refresh fails the figures stay, and are said to be old", async () => {
  const ask = vi.fn<() => Promise<string>>().mockResolvedValueOnce("42").mockRejectedValueOnce(problem);
  const client = show(ask);
  await screen.findByText("42");
  await client.invalidateQueries();
  expect((await screen.findByText("Not refreshed.")).textContent).toBeTruthy();
  expect(screen.getByText("42")).toBeTruthy();
});
