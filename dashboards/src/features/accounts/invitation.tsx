import { queryOptions, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { EntryCard } from "@/components/entry";
import { Field, Refusal, Submit, typed } from "@/components/form";
import { ApiProblem, createApi, done, unwrap } from "@/lib/api";
import { type Me, meQuery, refreshSession, signOut } from "@/lib/session";
import { LinkProblem } from "./link-problem";
import { NewPassword } from "./new-password";
import { SignInForm } from "./sign-in-form";

function invitationQuery(invitation: string) {
  return queryOptions({
    queryKey: ["invitation", invitation],
    queryFn: ({ signal }) => unwrap(createApi(null).POST("/v1/invitations/look-up", { body: { invitation }, signal })),
    staleTime: Number.POSITIVE_INFINITY,
    refetchInterval: false,
  });
}

/** Accepts an invitation: with a new account, or with the one of whoever is signed in. */
export function Invitation({ token, onLeave }: { token: string; onLeave: () => void }) {
  const invitation = useQuery(invitationQuery(token));
  const me = useQuery(meQuery);
  const failed = invitation.error ?? me.error;
  if (failed) return <LinkProblem title="The invitation" error={failed} onLeave={onLeave} />;
  if (invitation.data === undefined || me.data === undefined) {
    return (
      <EntryCard title="The invitation" isFirst>
        <p role="status" className="text-quiet text-sm">
          Looking it up …
        </p>
      </EntryCard>
    );
  }
  const { email, organisation } = invitation.data;
  if (me.data === null) return <Newcomer {...{ token, email, organisation, onLeave }} />;
  return (
    <EntryCard title={`Join ${organisation}`} note={`${email} is invited.`} isFirst>
      {me.data.email.toLowerCase() === email.toLowerCase() ? (
        <Join token={token} me={me.data} onLeave={onLeave} />
      ) : (
        <SomebodyElse me={me.data} />
      )}
    </EntryCard>
  );
}

function Join({ token, me, onLeave }: { token: string; me: Me; onLeave: () => void }) {
  const client = useQueryClient();
  const joining = useMutation({
    mutationFn: async () => {
      await unwrap(createApi(null, me.csrf_token).POST("/v1/invitations/accept", { body: { invitation: token } }));
      await refreshSession(client);
      onLeave();
    },
  });
  return (
    <form
      className="grid justify-items-start gap-3"
      onSubmit={(event) => {
        event.preventDefault();
        joining.mutate();
      }}
    >
      <p className="text-sm">You are signed in as {me.name}.</p>
      <Refusal error={joining.error} />
      <Submit isBusy={joining.isPending}>Join</Submit>
    </form>
  );
}

function SomebodyElse({ me }: { me: Me }) {
  const leaving = useMutation({ mutationFn: () => signOut(me) });
  return (
    <div className="grid justify-items-start gap-3 text-sm">
      <p className="wrap-anywhere">You are signed in as {me.email}, and the invitation is not for this address.</p>
      <Refusal error={leaving.error} />
      <button type="button" className="control" disabled={leaving.isPending} onClick={() => leaving.mutate()}>
        Sign out
      </button>
    </div>
  );
}

function Newcomer({
  token,
  email,
  organisation,
  onLeave,
}: {
  token: string;
  email: string;
  organisation: string;
  onLeave: () => void;
}) {
  const client = useQueryClient();
  const [hasAccount, setHasAccount] = useState(false);
  const signUp = useMutation({
    mutationFn: async ({ name, password }: { name: string; password: string }) => {
      await done(createApi(null).POST("/v1/sign-up", { body: { invitation: token, name, password } }));
      await refreshSession(client);
      onLeave();
    },
    onError: (error) => setHasAccount(error instanceof ApiProblem && error.code === "account_exists"),
  });
  if (hasAccount) {
    return (
      <EntryCard title={`Join ${organisation}`} note="Sign in with the account that this address has." isFirst>
        <SignInForm email={email} />
      </EntryCard>
    );
  }
  return (
    <EntryCard title={`Join ${organisation}`} note={`${email} is invited. Choose a name and a password.`} isFirst>
      <form
        className="grid gap-3"
        onSubmit={(event) => {
          event.preventDefault();
          const { name = "", password = "" } = typed(event.currentTarget);
          signUp.mutate({ name, password });
        }}
      >
        <input type="hidden" name="email" autoComplete="username" value={email} />
        <Field label="Name" name="name" autoComplete="name" required maxLength={200} />
        <NewPassword />
        <Refusal error={signUp.error} />
        <div className="flex flex-wrap items-center gap-x-4 gap-y-2">
          <Submit isBusy={signUp.isPending}>Join</Submit>
          <button type="button" className="text-sm underline underline-offset-2" onClick={() => setHasAccount(true)}>
            I have an account, or my organisation's login
          </button>
        </div>
      </form>
    </EntryCard>
  );
}
