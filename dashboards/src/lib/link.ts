import { useSyncExternalStore } from "react";
import { takeKeyFromAddress } from "@/lib/keys";

const KINDS = ["invitation", "verify-email", "reset-password", "shared"] as const;
const STORAGE = "radixinsight.link";
const listeners = new Set<() => void>();
let held: Link | null | undefined;

/** A link that was mailed or shared, by what stands behind `#` in it. */
export interface Link {
  kind: (typeof KINDS)[number];
  token: string;
}

function read(fragment: string): Link | null {
  const said = new URLSearchParams(fragment);
  for (const kind of KINDS) {
    const token = said.get(kind)?.trim();
    if (token) return { kind, token };
  }
  return null;
}

function load(): Link | null {
  try {
    return read(sessionStorage.getItem(STORAGE) ?? "");
  } catch {
    return null;
  }
}

/** The link that this tab was opened by, until it is left. */
export function openLink(): Link | null {
  if (held === undefined) held = load();
  return held;
}

function keep(link: Link | null): void {
  try {
    // For a reload; another tab knows nothing of it, and it is gone with this one.
    if (link === null) sessionStorage.removeItem(STORAGE);
    else sessionStorage.setItem(STORAGE, new URLSearchParams({ [link.kind]: link.token }).toString());
  } catch {
    // Storage can be switched off; the link then lasts until a reload.
  }
}

function hold(link: Link | null): void {
  held = link;
  keep(link);
  for (const listener of listeners) listener();
}

/** Note that the link was used and works no more: what it led to stays until it is left, a reload shows the page. */
export function spendLink(): void {
  keep(null);
}

/** Be done with the link: the page follows. */
export function leaveLink(): void {
  hold(null);
}

/**
 * Take a key or the token of a link out of the address and say which it was; it stays neither in the history nor in an
 * address that is passed on.
 */
export function takeFromAddress(): "key" | "link" | null {
  if (takeKeyFromAddress() !== null) {
    leaveLink();
    return "key";
  }
  const link = read(window.location.hash.slice(1));
  if (link === null) return null;
  window.history.replaceState(window.history.state, "", window.location.pathname + window.location.search);
  hold(link);
  return "link";
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function useLink(): Link | null {
  return useSyncExternalStore(subscribe, openLink);
}
