import { notifyManager, type Query, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";

/** A question without an answer for this long is said to have none. */
const LATE_MS = 10_000;

/** What one question of the page waits for, all times in ms since 1970. */
export interface Asked {
  /** When it was asked; null when nothing is awaited. */
  askedAt: number | null;
  /** When the figures it shows were answered; null when it shows none. */
  answeredAt: number | null;
  hasFailed: boolean;
}

/** The API has not answered for a while, or its last answer to a question that shows figures was a problem. */
export interface Silence {
  kind: "late" | "failed";
  /** When the oldest of the figures concerned were answered; null when there are none. */
  sinceMs: number | null;
}

/** The silence over all questions, or null. A late answer weighs more than a failed one: nobody has said anything of it. */
export function silenceOver(all: readonly Asked[], nowMs: number): Silence | null {
  const late = all.filter(({ askedAt }) => askedAt !== null && nowMs - askedAt >= LATE_MS);
  const failed = all.filter(({ hasFailed, answeredAt }) => hasFailed && answeredAt !== null);
  const concerned = late.length > 0 ? late : failed;
  if (concerned.length === 0) return null;
  const answers = concerned.flatMap(({ answeredAt }) => answeredAt ?? []);
  return { kind: late.length > 0 ? "late" : "failed", sinceMs: answers.length > 0 ? Math.min(...answers) : null };
}

/** Watch the questions that the page shows about a project. */
export function useSilence(projectId: number): Silence | null {
  const client = useQueryClient();
  const [silence, setSilence] = useState<Silence | null>(null);
  useEffect(() => {
    const cache = client.getQueryCache();
    let seenAsking = new Map<Query, number>();
    let timer: ReturnType<typeof setTimeout> | undefined;

    const look = () => {
      clearTimeout(timer);
      const now = Date.now();
      const shown = cache.findAll({ type: "active", predicate: ({ queryKey }) => queryKey[1] === projectId });
      const seenBefore = seenAsking;
      seenAsking = new Map();
      const all = shown.map((query): Asked => {
        const { fetchStatus, dataUpdatedAt, errorUpdatedAt, status, data } = query.state;
        if (fetchStatus === "fetching") seenAsking.set(query, seenBefore.get(query) ?? now);
        const askedAt = seenAsking.get(query);
        return {
          // The cache does not tell when it asked. Asked again at once after an answer, it may not have been seen idle.
          askedAt: askedAt === undefined ? null : Math.max(askedAt, dataUpdatedAt, errorUpdatedAt),
          answeredAt: data === undefined ? null : dataUpdatedAt,
          hasFailed: status === "error",
        };
      });
      const found = silenceOver(all, now);
      setSilence((before) => (before?.kind === found?.kind && before?.sinceMs === found?.sinceMs ? before : found));
      const dueMs = all
        .flatMap(({ askedAt }) => (askedAt === null ? [] : askedAt + LATE_MS - now))
        .filter((ms) => ms > 0);
      if (dueMs.length > 0) timer = setTimeout(look, Math.min(...dueMs));
    };

    // Batched, since the cache also speaks while parts are being rendered.
    const stop = cache.subscribe(notifyManager.batchCalls(look));
    look();
    return () => {
      stop();
      clearTimeout(timer);
    };
  }, [client, projectId]);
  return silence;
}
