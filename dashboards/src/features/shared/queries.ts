import { queryOptions } from "@tanstack/react-query";
import { ApiProblem, createApi, unwrap } from "@/lib/api";

// What opens is good for an hour.
const OPENED_ANEW_MS = 50 * 60_000;

/** Opens a link, with its password where it has one. */
export function openedQuery(token: string, password: string | null) {
  return queryOptions({
    queryKey: ["shared", token, password],
    queryFn: ({ signal }) =>
      unwrap(
        createApi(null).POST("/v1/shared/open", { body: { token, ...(password !== null && { password }) }, signal }),
      ),
    staleTime: OPENED_ANEW_MS,
    refetchInterval: ({ state }) => (state.error === null ? OPENED_ANEW_MS : false),
    refetchOnWindowFocus: false,
    gcTime: 0,
  });
}

/** The dashboard with its tiles, or the insight. */
export function sharedQuery(access: string) {
  return queryOptions({
    queryKey: ["shared", access, "content"],
    queryFn: ({ signal }) => unwrap(createApi(access).GET("/v1/shared", { signal })),
  });
}

/** The figures of the insight, or of one tile of the dashboard. */
export function resultQuery(access: string, tile: string | null) {
  return queryOptions({
    queryKey: ["shared", access, "result", tile],
    queryFn: ({ signal }) =>
      unwrap(createApi(access).GET("/v1/shared/result", { params: { query: tile === null ? {} : { tile } }, signal })),
  });
}

export function wantsPassword(error: Error | null): boolean {
  return error instanceof ApiProblem && error.code === "link_password_wrong";
}
