import createClient from "openapi-fetch";
import type { components, paths } from "@/client/schema";

type ProblemBody = components["schemas"]["Problem"];

/** What the API said was wrong (RFC 9457), or that it said nothing at all (`status` 0). */
export class ApiProblem extends Error {
  readonly status: number;
  readonly code: string;
  readonly title: string;
  readonly detail: string;

  constructor(problem: Pick<ProblemBody, "status" | "code" | "title" | "detail">) {
    super(`${problem.title}: ${problem.detail}`);
    this.name = "ApiProblem";
    this.status = problem.status;
    this.code = problem.code;
    this.title = problem.title;
    this.detail = problem.detail;
  }
}

/** Whether there are no figures because the models have not run for the first time: it passes by itself. */
export function isNotModelledYet(error: Error | null): boolean {
  return error instanceof ApiProblem && error.code === "not_modelled_yet";
}

/** The problem that an answer without success describes; one that is not problem+json comes from something in between. */
function toProblem(status: number, body: unknown): ApiProblem {
  const said = typeof body === "object" && body !== null ? (body as Partial<ProblemBody>) : {};
  return new ApiProblem({
    status,
    code: said.code ?? "unexpected_answer",
    title: said.title ?? `The server answered ${status}`,
    detail: said.detail ?? "The answer did not come from RadixInsight's API. Is something else on this address?",
  });
}

/**
 * The API, asked with a key or another token; with null it is asked by the session, whose cookie the browser sends along.
 * The session's CSRF token proves with a change that this page asks for it.
 */
export function createApi(token: string | null, csrfToken?: string) {
  return createClient<paths, "application/json">({
    baseUrl: window.location.origin,
    headers: {
      ...(token !== null && { Authorization: `Bearer ${token}` }),
      ...(csrfToken !== undefined && { "X-CSRF-Token": csrfToken }),
    },
    // Looked up at each call, so that a test can answer in the network's place.
    fetch: (request) => globalThis.fetch(request),
  });
}

type Call<Body> = Promise<{ data?: Body; error?: unknown; response: Response }>;

/** Return the body of a successful answer; throw an `ApiProblem` for any other. */
export async function unwrap<Body>(call: Call<Body>): Promise<Body> {
  const answer = await answered(call);
  if (answer.data === undefined) throw toProblem(answer.response.status, answer.error);
  return answer.data;
}

/** Wait until something is done of which the API says nothing more; throw an `ApiProblem` where it refuses. */
export async function done(call: Call<unknown>): Promise<void> {
  const { response, error } = await answered(call);
  if (!response.ok) throw toProblem(response.status, error);
}

async function answered<Body>(call: Call<Body>): Call<Body> {
  try {
    return await call;
  } catch (cause) {
    if (cause instanceof DOMException && cause.name === "AbortError") throw cause;
    if (cause instanceof SyntaxError) throw toProblem(502, null);
    throw new ApiProblem({
      status: 0,
      code: "unreachable",
      title: "The API does not answer",
      detail: `Nothing answered at ${window.location.origin}. \`radixinsight status\` tells which processes run.`,
    });
  }
}
