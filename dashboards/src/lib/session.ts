import { type QueryClient, queryOptions, useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import type { components } from "@/client/schema";
import { ApiProblem, createApi, done, unwrap } from "@/lib/api";
import { type Project, projectsQuery } from "@/lib/insights";

export type Me = components["schemas"]["Me"];

const REMEMBERED = "radixinsight.signed-in";
const LOOK_MS = 5 * 60_000;
const UNAUTHENTICATED = 401;

/** Who is signed in in this browser; null: nobody. */
export const meQuery = queryOptions({
  queryKey: ["me"],
  queryFn: async ({ signal }): Promise<Me | null> => {
    try {
      const me = await unwrap(createApi(null).GET("/v1/me", { signal }));
      rememberSession(true);
      return me;
    } catch (problem) {
      if (!(problem instanceof ApiProblem) || problem.status !== UNAUTHENTICATED) throw problem;
      rememberSession(false);
      return null;
    }
  },
  // The cookie is renewed by asking. Where nobody is signed in, only signing in changes that.
  refetchInterval: ({ state }) => (state.data ? LOOK_MS : false),
  staleTime: ({ state }) => (state.data === null ? Number.POSITIVE_INFINITY : LOOK_MS / 2),
});

/** No script sees the cookie: this is how a browser that has keys too knows that it is worth asking who is signed in. */
export function rememberSession(isOpen: boolean): void {
  try {
    if (isOpen) localStorage.setItem(REMEMBERED, "yes");
    else localStorage.removeItem(REMEMBERED);
  } catch {
    // Storage can be switched off; then whoever has keys too signs in again.
  }
}

export function isSessionRemembered(): boolean {
  try {
    return localStorage.getItem(REMEMBERED) !== null;
  } catch {
    return false;
  }
}

/** Look anew who is signed in, after that has changed; what somebody else has seen here is forgotten. */
export async function refreshSession(client: QueryClient): Promise<Me | null> {
  client.removeQueries({ type: "inactive" });
  const me = await client.fetchQuery({ ...meQuery, staleTime: 0 });
  await client.invalidateQueries({ queryKey: projectsQuery(null).queryKey });
  return me;
}

/** End the session. The page begins anew, so that no figure stays in its memory. */
export async function signOut(me: Me): Promise<void> {
  await done(createApi(null, me.csrf_token).POST("/v1/sign-out"));
  rememberSession(false);
  window.location.replace("/");
}

export interface Session {
  me: Me | null;
  projects: Project[];
  problem: Error | null;
  isPending: boolean;
  retry: () => void;
}

/** Who is signed in and what he may see; nobody is asked unless `isWanted`. */
export function useSession(isWanted: boolean): Session {
  const me = useQuery({ ...meQuery, enabled: isWanted });
  // Read whether or not it is wanted: somebody may sign in meanwhile.
  const known = me.data ?? null;
  const isSignedIn = isWanted && known !== null;
  const projects = useQuery({ ...projectsQuery(null), enabled: isSignedIn });
  const seen = isSignedIn ? projects.data?.projects : undefined;
  return {
    me: isWanted ? known : null,
    projects: useMemo(() => (seen ?? []).map((project) => ({ ...project, apiKey: null })), [seen]),
    problem: isWanted ? (me.error ?? projects.error) : null,
    isPending: isWanted && (me.isPending || (isSignedIn && projects.isPending)),
    retry: () => {
      for (const query of [me, projects]) if (query.error !== null) void query.refetch();
    },
  };
}
