import { useSyncExternalStore } from "react";

const TICK_MS = 15_000;

function subscribe(listener: () => void): () => void {
  const timer = setInterval(listener, TICK_MS);
  return () => clearInterval(timer);
}

/** The time, renewed every 15 seconds, so that a page left open passes midnight and says truly how old its data is. */
export function useNow(): Date {
  const tick = useSyncExternalStore(subscribe, () => Math.floor(Date.now() / TICK_MS));
  return new Date(tick * TICK_MS);
}
