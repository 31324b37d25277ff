import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { render } from "@testing-library/react";
import type { ReactNode } from "react";
import { vi } from "vitest";

type Answer = object | null;
const EMPTY = 204;

/** Answers in the API's place by method and path; a problem has a `status`. Returns what was asked of it. */
export function stubApi(answer: (asked: string, body: Record<string, string>) => Answer | undefined): Request[] {
  const asked: Request[] = [];
  vi.stubGlobal("fetch", async (request: Request) => {
    asked.push(request.clone());
    const body = request.method === "GET" ? {} : JSON.parse((await request.text()) || "{}");
    const found = answer(`${request.method} ${new URL(request.url).pathname}`, body);
    const said = found === undefined ? problem(404, "not_found") : found;
    if (said === null) return new Response(null, { status: EMPTY });
    return Response.json(said, { status: "status" in said ? Number(said.status) : 200 });
  });
  return asked;
}

export const problem = (status: number, code: string) => ({ status, code, title: code, detail: `About ${code}.` });
export const unauthenticated = problem(401, "api_key_missing");
export const ada = {
  id: 1,
  email: "ada@example.com",
  name: "Ada",
  is_email_verified: true,
  has_second_factor: false,
  csrf_token: "csrf-of-ada",
  organisations: [],
};

export function show(content: ReactNode) {
  render(
    <QueryClientProvider client={new QueryClient({ defaultOptions: { queries: { retry: false } } })}>
      {content}
    </QueryClientProvider>,
  );
}
