import { QueryClient } from "@tanstack/react-query";
import { ApiProblem } from "@/lib/api";

const REFRESH_MS = 60_000;

/** What cannot succeed the second time is not asked twice: only a lost connection or an engine that was away. */
export function isWorthRetrying(failures: number, error: Error): boolean {
  return failures < 1 && error instanceof ApiProblem && (error.status === 0 || error.status === 503);
}

export function createQueryClient(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: {
        refetchInterval: REFRESH_MS,
        staleTime: REFRESH_MS / 2,
        retry: isWorthRetrying,
        networkMode: "always",
      },
    },
  });
}
