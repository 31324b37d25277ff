import { useQueries } from "@tanstack/react-query";
import { ApiProblem } from "@/lib/api";
import { type Project, projectsQuery } from "@/lib/insights";

export interface KeyStatus {
  apiKey: string;
  projects: Project[];
  problem: Error | null;
  isPending: boolean;
}

/** What each key may see. */
export function useKeyStatuses(apiKeys: readonly string[]): { statuses: KeyStatus[]; retry: () => void } {
  const queries = useQueries({ queries: apiKeys.map(projectsQuery) });
  return {
    statuses: apiKeys.map((apiKey, index) => {
      const query = queries[index];
      return {
        apiKey,
        projects: (query?.data?.projects ?? []).map((project) => ({ ...project, apiKey })),
        problem: query?.error ?? null,
        isPending: query?.isPending ?? true,
      };
    }),
    retry: () => {
      for (const query of queries) if (query.error !== null) void query.refetch();
    },
  };
}

/** Every project once, in the order of what opens them. */
export function mergeProjects(openers: readonly { projects: Project[] }[]): Project[] {
  const merged = new Map<number, Project>();
  for (const project of openers.flatMap(({ projects }) => projects)) {
    if (!merged.has(project.id)) merged.set(project.id, project);
  }
  return [...merged.values()];
}

/** Whether the API knows the key and says no, as opposed to not answering. */
export function isRefused(problem: Error | null): boolean {
  return problem instanceof ApiProblem && (problem.status === 401 || problem.status === 403);
}
