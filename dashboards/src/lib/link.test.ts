// @vitest-environment jsdom

import { beforeEach, expect, test } from "vitest";
import { apiKeys } from "./keys";
import { leaveLink, openLink, spendLink, takeFromAddress } from "./link";

beforeEach(() => {
  leaveLink();
  window.history.replaceState(null, "", "/");
});

test.each(["invitation", "verify-email", "reset-password", "shared"])(
  "the token of a link for %s is kept and vanishes from the address, the view stays",
  (kind) => {
    window.history.replaceState(null, "", `/?range=7d#${kind}=sl_1_abc`);
    expect(takeFromAddress()).toBe("link");
    expect(window.location.href).toMatch(/\/\?range=7d$/);
    expect(openLink()).toEqual({ kind, token: "sl_1_abc" });
  },
);

test("a link that was left is gone after a reload too", () => {
  window.history.replaceState(null, "", "/#shared=sl_1_abc");
  takeFromAddress();
  expect(sessionStorage.length).toBe(1);
  leaveLink();
  expect(openLink()).toBeNull();
  expect(sessionStorage.length).toBe(0);
});

test("a link that was used stays on the screen, and a reload knows nothing of it", () => {
  window.history.replaceState(null, "", "/#verify-email=rm_abc");
  takeFromAddress();
  spendLink();
  expect(openLink()).toEqual({ kind: "verify-email", token: "rm_abc" });
  expect(sessionStorage.length).toBe(0);
});

test("a key that is opened in the tab of a link takes its place", () => {
  window.history.replaceState(null, "", "/#shared=sl_1_abc");
  takeFromAddress();
  window.history.replaceState(null, "", "/#key=rk_abc");
  expect(takeFromAddress()).toBe("key");
  expect(openLink()).toBeNull();
  expect(apiKeys()).toContain("rk_abc");
});

test("another fragment, and one without a token, are left alone", () => {
  window.history.replaceState(null, "", "/#shared=");
  expect(takeFromAddress()).toBeNull();
  expect(window.location.hash).toBe("#shared=");
});
