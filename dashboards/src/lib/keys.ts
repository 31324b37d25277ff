import { useSyncExternalStore } from "react";

const STORAGE = "radixinsight.api-keys";
const listeners = new Set<() => void>();
let known: readonly string[] | null = null;

function load(): readonly string[] {
  try {
    const stored: unknown = JSON.parse(localStorage.getItem(STORAGE) ?? "[]");
    return Array.isArray(stored) ? stored.filter((key): key is string => typeof key === "string") : [];
  } catch {
    return [];
  }
}

/** The API keys that this browser knows, the one added last first. */
export function apiKeys(): readonly string[] {
  known ??= load();
  return known;
}

function store(keys: readonly string[]): void {
  known = keys;
  try {
    localStorage.setItem(STORAGE, JSON.stringify(keys));
  } catch {
    // Storage can be switched off; the keys then live as long as the page.
  }
  for (const listener of listeners) listener();
}

export function addApiKey(key: string): void {
  store([key, ...apiKeys().filter((other) => other !== key)]);
}

export function removeApiKey(key: string): void {
  store(apiKeys().filter((other) => other !== key));
}

/** Forget what was read, as a reload would. */
export function reloadApiKeys(): void {
  known = null;
  for (const listener of listeners) listener();
}

/**
 * Take the key out of an address such as `/#key=rk_…` and drop it there, so that it stays neither in the history nor in
 * an address that is passed on. A fragment never reaches a server, so no log has seen it.
 */
export function takeKeyFromAddress(): string | null {
  const key = new URLSearchParams(window.location.hash.slice(1)).get("key")?.trim();
  if (!key) return null;
  window.history.replaceState(window.history.state, "", window.location.pathname + window.location.search);
  addApiKey(key);
  return key;
}

/** How a key is shown: enough to tell it from others, too little to use it. */
export function maskKey(key: string): string {
  return key.length <= 12 ? key : `${key.slice(0, 7)}…${key.slice(-3)}`;
}

function subscribe(listener: () => void): () => void {
  const onStorage = (event: StorageEvent) => {
    if (event.key === STORAGE) reloadApiKeys();
  };
  listeners.add(listener);
  window.addEventListener("storage", onStorage);
  return () => {
    listeners.delete(listener);
    window.removeEventListener("storage", onStorage);
  };
}

export function useApiKeys(): readonly string[] {
  return useSyncExternalStore(subscribe, apiKeys);
}
