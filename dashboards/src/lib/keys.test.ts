// @vitest-environment jsdom

import { beforeEach, expect, test } from "vitest";
import { addApiKey, apiKeys, maskKey, reloadApiKeys, removeApiKey, takeKeyFromAddress } from "./keys";

beforeEach(() => {
  localStorage.clear();
  reloadApiKeys();
  window.history.replaceState(null, "", "/");
});

test("a key in the address is kept and vanishes from the address, the view stays", () => {
  window.history.replaceState(null, "", "/?range=7d#key=rk_abc");
  expect(takeKeyFromAddress()).toBe("rk_abc");
  expect(window.location.href).toMatch(/\/\?range=7d$/);
  reloadApiKeys();
  expect(apiKeys()).toEqual(["rk_abc"]);
});

test("another fragment is left alone", () => {
  window.history.replaceState(null, "", "/#funnel");
  expect(takeKeyFromAddress()).toBeNull();
  expect(window.location.hash).toBe("#funnel");
  expect(apiKeys()).toEqual([]);
});

test("the key that came last comes first, and none stands twice", () => {
  addApiKey("rk_one");
  addApiKey("rk_two");
  addApiKey("rk_one");
  expect(apiKeys()).toEqual(["rk_one", "rk_two"]);
  removeApiKey("rk_one");
  expect(apiKeys()).toEqual(["rk_two"]);
});

test("what stands in the storage in another shape is ignored", () => {
  localStorage.setItem("radixinsight.api-keys", '{"key":"rk_abc"}');
  reloadApiKeys();
  expect(apiKeys()).toEqual([]);
});

test("a shown key cannot be used", () => {
  expect(maskKey("rk_0123456789abcdefghijklmnopqrstuvwxyz")).toBe("rk_0123…xyz");
});
