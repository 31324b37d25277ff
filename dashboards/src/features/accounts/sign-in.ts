import { queryOptions } from "@tanstack/react-query";
import { ApiProblem, createApi, done, unwrap } from "@/lib/api";

// The API takes no longer way back.
const LONGEST_RETURN = 2_000;

/** The logins of their own organisations by which whoever has this address may sign in. */
export function providersQuery(email: string) {
  return queryOptions({
    queryKey: ["providers", email],
    queryFn: ({ signal }) => unwrap(createApi(null).POST("/v1/sign-in/providers", { body: { email }, signal })),
    staleTime: Number.POSITIVE_INFINITY,
    refetchInterval: false,
    retry: false,
  });
}

/** Where a browser goes to sign in by such a login; it comes back to the view that it left. */
export function providerAddress(start: string, returnTo: string): string {
  return `${start}?return_to=${encodeURIComponent(returnTo.length <= LONGEST_RETURN ? returnTo : "/")}`;
}

/** Sign in; throws an `ApiProblem`. */
export function signIn({ email, password, code }: { email: string; password: string; code?: string }): Promise<void> {
  return done(createApi(null).POST("/v1/sign-in", { body: { email, password, ...(code && { code }) } }));
}

/** Whether the password was right, and a code of the authenticator is wanted with it. */
export function wantsCode(error: Error | null): boolean {
  return error instanceof ApiProblem && ["second_factor_needed", "code_invalid"].includes(error.code);
}
