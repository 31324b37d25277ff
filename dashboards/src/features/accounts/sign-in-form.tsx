import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { Field, Refusal, Submit, typed } from "@/components/form";
import { ApiProblem } from "@/lib/api";
import { refreshSession, rememberSession } from "@/lib/session";
import { providerAddress, providersQuery, signIn, wantsCode } from "./sign-in";

/**
 * Asks for e-mail address and password, then for a code where the account has a second factor. Where the organisation
 * of the address has its own login, it is offered as soon as the address is there.
 */
export function SignInForm({
  email: fixed,
  onForgotten,
  onDone,
}: {
  email?: string;
  onForgotten?: (email: string) => void;
  onDone?: () => void;
}) {
  const client = useQueryClient();
  const [email, setEmail] = useState(fixed ?? "");
  const [asked, setAsked] = useState(fixed ?? "");
  const [isCodeWanted, setCodeWanted] = useState(false);
  const providers = useQuery({ ...providersQuery(asked), enabled: asked.includes("@") });
  const offered = providers.data?.providers ?? [];
  const attempt = useMutation({
    mutationFn: async (said: { email: string; password: string; code?: string }) => {
      await signIn(said);
      await refreshSession(client);
    },
    onSuccess: () => onDone?.(),
    onError: (error) => setCodeWanted(wantsCode(error)),
  });
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const { password = "", code } = typed(event.currentTarget);
    setAsked(email.trim());
    if (password !== "") attempt.mutate({ email: email.trim(), password, ...(code !== undefined && { code }) });
  };
  const isFirstAsk = attempt.error instanceof ApiProblem && attempt.error.code === "second_factor_needed";

  return (
    <form onSubmit={submit} className="grid gap-3">
      <Field
        label="E-mail"
        name="email"
        type="email"
        autoComplete="username"
        required
        readOnly={fixed !== undefined || isCodeWanted}
        value={email}
        onChange={(event) => setEmail(event.target.value)}
        onBlur={() => setAsked(email.trim())}
      />
      {offered.length > 0 && !isCodeWanted && (
        <div role="status" className="grid gap-1.5">
          {offered.map(({ id, name, start }) => (
            <a
              key={id}
              href={providerAddress(start, window.location.pathname + window.location.search)}
              className="control min-h-9 justify-center"
              onClick={() => rememberSession(true)}
            >
              Sign in by {name}
            </a>
          ))}
        </div>
      )}
      <Field
        label="Password"
        name="password"
        type="password"
        autoComplete="current-password"
        required={offered.length === 0}
        readOnly={isCodeWanted}
      />
      {isCodeWanted && (
        <Field
          label="Code"
          name="code"
          autoComplete="one-time-code"
          spellCheck={false}
          required
          ref={(input) => input?.focus()}
          hint="The six digits that your authenticator shows, or a recovery code."
        />
      )}
      <Refusal error={isFirstAsk ? null : attempt.error} />
      <div className="flex flex-wrap items-center gap-x-4 gap-y-2">
        <Submit isBusy={attempt.isPending}>{attempt.isPending ? "Signing in …" : "Sign in"}</Submit>
        {isCodeWanted ? (
          <button type="button" className="text-sm underline underline-offset-2" onClick={() => setCodeWanted(false)}>
            Somebody else
          </button>
        ) : (
          onForgotten && (
            <button
              type="button"
              className="text-sm underline underline-offset-2"
              onClick={() => onForgotten(email.trim())}
            >
              Password forgotten?
            </button>
          )
        )}
      </div>
    </form>
  );
}
