import { QueryClient } from "@tanstack/react-query";
import { ApiProblem, isNotModelledYet } from "@/lib/api";

const REFRESH_MS = 60_000;
// What the API's Retry-After asks for until the models have run for the first time.
const FIRST_MODELS_MS = 30_000;

/** What cannot succeed a second later is not asked twice: only a lost connection or an engine that was away. */
export function isWorthRetrying(failures: number, error: Error): boolean {
  if (failures > 0 || isNotModelledYet(error)) return false;
  return error instanceof ApiProblem && (error.status === 0 || error.status === 503);
}

export function createQueryClient(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: {
        refetchInterval: ({ state }) => (isNotModelledYet(state.error) ? FIRST_MODELS_MS : REFRESH_MS),
        staleTime: REFRESH_MS / 2,
        retry: isWorthRetrying,
        networkMode: "always",
      },
    },
  });
}
