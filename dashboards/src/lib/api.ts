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

export function createApi(apiKey: string) {
  return createClient<paths, "application/json">({
    baseUrl: window.location.origin,
    headers: { Authorization: `Bearer ${apiKey}` },
    // Looked up at each call, so that a test can answer in the network's place.
    fetch: (request) => globalThis.fetch(request),
  });
}

/** Return the body of a successful answer; throw an `ApiProblem` for any other. */
export async function unwrap<Body>(call: Promise<{ data?: Body; error?: unknown; response: Response }>): Promise<Body> {
  let answer: Awaited<typeof call>;
  try {
    answer = await call;
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
  if (answer.data === undefined) throw toProblem(answer.response.status, answer.error);
  return answer.data;
}
