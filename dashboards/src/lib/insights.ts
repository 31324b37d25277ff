import { keepPreviousData, queryOptions, skipToken } from "@tanstack/react-query";
import type { components } from "@/client/schema";
import { createApi, unwrap } from "@/lib/api";
import type { FunnelQuestion, RangeQuestion, RetentionQuestion, TimeseriesQuestion } from "@/lib/questions";

type Schemas = components["schemas"];

export type Meta = Schemas["Meta"];
export type EventCount = Schemas["EventCount"];
export type Bucket = Schemas["Bucket"];
export type Timeseries = Schemas["Timeseries"];
export type Funnel = Schemas["Funnel"];
export type FunnelStep = Schemas["FunnelStep"];
export type Retention = Schemas["Retention"];
export type RetentionCohort = Schemas["RetentionCohort"];

type ProjectSummary = Schemas["ProjectSummary"];

/** A project and the key that may read it; null: whoever is signed in may. */
export interface Project extends ProjectSummary {
  apiKey: string | null;
}

export function projectsQuery(apiKey: string | null) {
  return queryOptions({
    queryKey: ["projects", apiKey],
    queryFn: ({ signal }) => unwrap(createApi(apiKey).GET("/v1/projects", { signal })),
    // What a key or a person may see changes rarely; a refused one is tried again only when asked to.
    refetchInterval: false,
    staleTime: Number.POSITIVE_INFINITY,
  });
}

export function eventNamesQuery(project: Project, query: RangeQuestion) {
  return queryOptions({
    queryKey: ["event-names", project.id, query],
    queryFn: ({ signal }) =>
      unwrap(
        createApi(project.apiKey).GET("/v1/projects/{project_id}/event-names", {
          params: { path: { project_id: project.id }, query },
          signal,
        }),
      ),
    placeholderData: keepPreviousData,
  });
}

export function timeseriesQuery(project: Project, query: TimeseriesQuestion) {
  return queryOptions({
    queryKey: ["timeseries", project.id, query],
    queryFn: ({ signal }) =>
      unwrap(
        createApi(project.apiKey).GET("/v1/projects/{project_id}/insights/timeseries", {
          params: { path: { project_id: project.id }, query },
          signal,
        }),
      ),
    placeholderData: keepPreviousData,
  });
}

/** Without a question (no steps to ask about yet) nothing is asked. */
export function funnelQuery(project: Project, query: FunnelQuestion | null) {
  return queryOptions({
    queryKey: ["funnel", project.id, query],
    queryFn:
      query === null
        ? skipToken
        : ({ signal }) =>
            unwrap(
              createApi(project.apiKey).GET("/v1/projects/{project_id}/insights/funnel", {
                params: { path: { project_id: project.id }, query },
                signal,
              }),
            ),
    placeholderData: keepPreviousData,
  });
}

export function retentionQuery(project: Project, query: RetentionQuestion) {
  return queryOptions({
    queryKey: ["retention", project.id, query],
    queryFn: ({ signal }) =>
      unwrap(
        createApi(project.apiKey).GET("/v1/projects/{project_id}/insights/retention", {
          params: { path: { project_id: project.id }, query },
          signal,
        }),
      ),
    placeholderData: keepPreviousData,
  });
}
