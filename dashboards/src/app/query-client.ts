import { QueryCache, QueryClient } from "@tanstack/react-query";
import { ApiProblem, isNotModelledYet } from "@/lib/api";
import { meQuery } from "@/lib/session";

const REFRESH_MS = 60_000;
// What the API's Retry-After asks for until the models have run for the first time.
const FIRST_MODELS_MS = 30_000;

/** What cannot succeed a second later is not asked twice: only a lost connection or an engine that was away. */
export function isWorthRetrying(failures: number, error: Error): boolean {
  if (failures > 0 || isNotModelledYet(error)) return false;
  return error instanceof ApiProblem && (error.status === 0 || error.status === 503);
}

export function createQueryClient(): QueryClient {
  const client = new QueryClient({
    queryCache: new QueryCache({
      // The session ended while the page was open: whoever asks who is signed in shows it.
      onError: (error) => {
        if (error instanceof ApiProblem && error.code === "session_ended") {
          void client.invalidateQueries({ queryKey: meQuery.queryKey });
        }
      },
    }),
    defaultOptions: {
      queries: {
        refetchInterval: ({ state }) => (isNotModelledYet(state.error) ? FIRST_MODELS_MS : REFRESH_MS),
        staleTime: REFRESH_MS / 2,
        retry: isWorthRetrying,
        networkMode: "always",
      },
    },
  });
  return client;
}
