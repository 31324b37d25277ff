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

const OF_ADA = [{ id: 3, name: "Club" }];

function json(status: number, body: object) {
  return new Response(JSON.stringify(body), { status, headers: { "content-type": "application/json" } });
}

let isSignedIn: boolean;
let asked: string[];

beforeEach(() => {
  isSignedIn = false;
  asked = [];
  localStorage.clear();
  reloadApiKeys();
  vi.stubGlobal("fetch", async (request: Request) => {
    const path = new URL(request.url).pathname;
    asked.push(path);
    if (isSignedIn && !request.headers.has("authorization")) {
      return json(200, path === "/v1/me" ? { name: "Ada", email: "ada@example.com" } : { projects: OF_ADA });
    }
    const projects = PROJECTS[(request.headers.get("authorization") ?? "").replace("Bearer ", "")];
    if (projects) return json(200, { projects });
    return json(401, { status: 401, code: "invalid_api_key", title: "The API key was refused", detail: "Unknown." });
  });
});

afterEach(() => vi.unstubAllGlobals());

function enter(wanted?: number) {
  render(
    <QueryClientProvider client={new QueryClient({ defaultOptions: { queries: { retry: false } } })}>
      <ProjectGate wanted={wanted}>
        {({ project, projects, me }) => (
          <p>
            {me ? `${me.name}: ` : ""}
            {project.name} of {projects.map(({ name }) => name).join(", ")}
          </p>
        )}
      </ProjectGate>
    </QueryClientProvider>,
  );
}

test("without a key the page asks for one, and opens its project", async () => {
  enter();
  await userEvent.type(await screen.findByLabelText("API key"), " rk_shop{Enter}");
  expect(await screen.findByText("Shop of Shop")).toBeTruthy();
  expect(apiKeys()).toEqual(["rk_shop"]);
});

test("a refused key says so and is not kept", async () => {
  enter();
  await userEvent.type(await screen.findByLabelText("API key"), "rk_wrong{Enter}");
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

test("without a key whoever is signed in sees his projects", async () => {
  isSignedIn = true;
  enter();
  expect(await screen.findByText("Ada: Club of Club")).toBeTruthy();
});

test("a key opens its project, and nobody is asked who is signed in", async () => {
  isSignedIn = true;
  addApiKey("rk_shop");
  enter();
  expect(await screen.findByText("Shop of Shop")).toBeTruthy();
  expect(asked).not.toContain("/v1/me");
});

test("where somebody has signed in before, his projects stand beside those of the keys", async () => {
  isSignedIn = true;
  localStorage.setItem("radixinsight.signed-in", "yes");
  addApiKey("rk_shop");
  enter(3);
  expect(await screen.findByText("Ada: Club of Shop, Club")).toBeTruthy();
});

test("whoever is signed in and sees no project is told so, and may sign out", async () => {
  isSignedIn = true;
  enter(7);
  expect(await screen.findByText(/this account does not see it/)).toBeTruthy();
  expect(screen.getByRole("button", { name: "Sign out" })).toBeTruthy();
  expect(screen.queryByLabelText("Password")).toBeNull();
});
