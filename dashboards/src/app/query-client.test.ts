import { expect, test } from "vitest";
import { ApiProblem } from "@/lib/api";
import { isWorthRetrying } from "./query-client";

const problem = (status: number, code = "c") => new ApiProblem({ status, code, title: "t", detail: "d" });

test("a lost connection and an engine that was away are tried once more", () => {
  expect(isWorthRetrying(0, problem(0))).toBe(true);
  expect(isWorthRetrying(0, problem(503))).toBe(true);
  expect(isWorthRetrying(1, problem(503))).toBe(false);
});

test("what the API refused or gave up on is not asked again", () => {
  for (const status of [401, 404, 422, 504]) expect(isWorthRetrying(0, problem(status))).toBe(false);
});

test("figures that were not modelled yet are not there a second later", () => {
  expect(isWorthRetrying(0, problem(503, "not_modelled_yet"))).toBe(false);
});
