// @vitest-environment jsdom

import { expect, test, vi } from "vitest";
import { router } from "./router";

// It looks for a screen as soon as it is imported, and jsdom has none.
vi.mock("uplot", () => ({ default: class {} }));

test("a project that is chosen stands in the address, and one in the address is read", async () => {
  await router.navigate({ to: "/", search: { project: 2, range: "7d" } });
  expect(router.state.location.href).toBe("/?project=2&range=7d");
  expect(router.state.matches.at(-1)?.search).toEqual({ project: 2, range: "7d" });

  await router.navigate({ href: "/?project=1&range=bogus" });
  expect(router.state.location.href).toBe("/?project=1");
  expect(router.state.matches.at(-1)?.search).toMatchObject({ project: 1 });
});
