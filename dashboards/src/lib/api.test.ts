// @vitest-environment jsdom

import { afterEach, expect, test, vi } from "vitest";
import { ApiProblem, createApi, unwrap } from "./api";

afterEach(() => vi.unstubAllGlobals());

function answerWith(status: number, body: string, type: string) {
  const fetching = vi.fn(async (_: Request) => new Response(body, { status, headers: { "content-type": type } }));
  vi.stubGlobal("fetch", fetching);
  return fetching;
}

const ask = () => unwrap(createApi("rk_test").GET("/v1/projects"));
const failure = () =>
  ask().then(
    () => null,
    (error: unknown) => error as ApiProblem,
  );

test("the key goes in the header, never in the address", async () => {
  const fetching = answerWith(200, '{"projects":[]}', "application/json");
  await ask();
  const request = fetching.mock.calls[0]?.[0];
  expect(request?.headers.get("authorization")).toBe("Bearer rk_test");
  expect(request?.url).not.toContain("rk_test");
});

test("steps are sent as repeated parameters", async () => {
  const fetching = answerWith(200, "{}", "application/json");
  await unwrap(
    createApi("rk_test").GET("/v1/projects/{project_id}/insights/funnel", {
      params: { path: { project_id: 1 }, query: { from: "2026-01-01", to: "2026-01-02", step: ["a b", "c&d"] } },
    }),
  );
  expect(fetching.mock.calls[0]?.[0].url).toContain("step=a%20b&step=c%26d");
});

test("a problem keeps the API's own words", async () => {
  const body = {
    type: "about:blank",
    status: 422,
    code: "invalid_request",
    title: "Not valid",
    detail: "to: too early",
  };
  answerWith(422, JSON.stringify(body), "application/problem+json");
  expect(await failure()).toMatchObject({
    status: 422,
    code: "invalid_request",
    title: "Not valid",
    detail: "to: too early",
  });
});

test("an error page of something in between becomes a problem too", async () => {
  answerWith(502, "<html>Bad gateway</html>", "text/html");
  expect(await failure()).toMatchObject({ status: 502, code: "unexpected_answer" });
});

test("no answer at all says what to look at", async () => {
  vi.stubGlobal("fetch", async () => {
    throw new TypeError("Failed to fetch");
  });
  const problem = await failure();
  expect(problem).toBeInstanceOf(ApiProblem);
  expect(problem).toMatchObject({ status: 0, code: "unreachable" });
});
