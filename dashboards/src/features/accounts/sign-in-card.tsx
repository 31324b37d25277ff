import { useMutation } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import { EntryCard } from "@/components/entry";
import { Field, Refusal, Submit, typed } from "@/components/form";
import { createApi, done } from "@/lib/api";
import { SignInForm } from "./sign-in-form";

/** Sign in, or ask for a new password. */
export function SignInCard({ note }: { note?: ReactNode }) {
  const [forgotten, setForgotten] = useState<string | null>(null);
  if (forgotten !== null) return <ForgottenCard email={forgotten} onBack={() => setForgotten(null)} />;
  return (
    <EntryCard title="Sign in" note={note ?? "Whoever is invited by an organisation has an account."} isFirst>
      <SignInForm onForgotten={setForgotten} />
    </EntryCard>
  );
}

function ForgottenCard({ email, onBack }: { email: string; onBack: () => void }) {
  const request = useMutation({
    mutationFn: (address: string) => done(createApi(null).POST("/v1/password-resets", { body: { email: address } })),
  });
  return (
    <EntryCard title="A new password" note="A mail brings a link with which you choose one." isFirst>
      {request.isSuccess ? (
        <p role="status" className="text-sm">
          If {request.variables} has an account, a mail is on its way. Its link works for an hour.
        </p>
      ) : (
        <form
          className="grid gap-3"
          onSubmit={(event) => {
            event.preventDefault();
            request.mutate((typed(event.currentTarget)["email"] ?? "").trim());
          }}
        >
          <Field label="E-mail" name="email" type="email" autoComplete="username" required defaultValue={email} />
          <Refusal error={request.error} />
          <div>
            <Submit isBusy={request.isPending}>Send the link</Submit>
          </div>
        </form>
      )}
      <button type="button" className="mt-4 text-sm underline underline-offset-2" onClick={onBack}>
        Back to signing in
      </button>
    </EntryCard>
  );
}
