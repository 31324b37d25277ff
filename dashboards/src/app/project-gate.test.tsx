// @vitest-environment jsdom

import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { addApiKey, apiKeys, reloadApiKeys } from "@/lib/keys";
import { ProjectGate } from "./project-gate";

const PROJECTS: Record<string, { id: number; name: string }[]> = {
  rk_shop: [{ id: 1, name: "Shop" }],
  rk_blog: [{ id: 2, name: "Blog" }],
};

function json(status: number, body: object) {
  return new Response(JSON.stringify(body), { status, headers: { "content-type": "application/json" } });
}

beforeEach(() => {
  localStorage.clear();
  reloadApiKeys();
  vi.stubGlobal("fetch", async (request: Request) => {
    const projects = PROJECTS[(request.headers.get("authorization") ?? "").replace("Bearer ", "")];
    if (projects) return json(200, { projects });
    return json(401, { status: 401, code: "invalid_api_key", title: "The API key was refused", detail: "Unknown." });
  });
});

afterEach(() => vi.unstubAllGlobals());

function enter(wanted?: number) {
  render(
    <QueryClientProvider client={new QueryClient({ defaultOptions: { queries: { retry: false } } })}>
      <ProjectGate wanted={wanted} onNewKey={() => undefined}>
        {({ project, projects }) => (
          <p>
            {project.name} of {projects.map(({ name }) => name).join(", ")}
          </p>
        )}
      </ProjectGate>
    </QueryClientProvider>,
  );
}

test("without a key the page asks for one, and opens its project", async () => {
  enter();
  await userEvent.type(screen.getByLabelText("API key"), " rk_shop{Enter}");
  expect(await screen.findByText("Shop of Shop")).toBeTruthy();
  expect(apiKeys()).toEqual(["rk_shop"]);
});

test("a refused key says so and is not kept", async () => {
  enter();
  await userEvent.type(screen.getByLabelText("API key"), "rk_wrong{Enter}");
  expect((await screen.findByText(/was refused/)).textContent).toContain("Unknown.");
  expect(apiKeys()).toEqual([]);
});

test("a kept key that was revoked says so and can be forgotten", async () => {
  addApiKey("rk_revoked_long_ago");
  enter();
  const shown = await screen.findByText("rk_revo…ago");
  expect(shown.parentElement?.textContent).toBe("The key rk_revo…ago was refused.");
  await userEvent.click(screen.getByRole("button", { name: "Forget this key" }));
  expect(apiKeys()).toEqual([]);
});

test("several keys give several projects; the key that came last opens first", async () => {
  addApiKey("rk_blog");
  addApiKey("rk_shop");
  enter();
  expect(await screen.findByText("Shop of Shop, Blog")).toBeTruthy();
});

test("the project of the address is opened, whichever key has it", async () => {
  addApiKey("rk_blog");
  addApiKey("rk_shop");
  enter(2);
  expect(await screen.findByText("Blog of Shop, Blog")).toBeTruthy();
});

test("a refused key does not stand in the way of a good one", async () => {
  addApiKey("rk_shop");
  addApiKey("rk_revoked");
  enter();
  expect(await screen.findByText("Shop of Shop")).toBeTruthy();
});

test("another project than the keys open is never shown in its place", async () => {
  addApiKey("rk_shop");
  enter(7);
  expect(await screen.findByText(/No key in this browser opens project 7/)).toBeTruthy();
});
