import { useMutation } from "@tanstack/react-query";
import { Dialog } from "@/components/dialog";
import { Refusal } from "@/components/form";
import { createApi, done } from "@/lib/api";
import { type Me, signOut } from "@/lib/session";
import { SignInForm } from "./sign-in-form";

/** Who is signed in, with a way to sign out; with nobody, the form to sign in. */
export function AccountDialog({ me, onClose }: { me: Me | null; onClose: () => void }) {
  return (
    <Dialog title={me === null ? "Sign in" : me.name} onClose={onClose}>
      {(close) => (
        <div className="px-5 pt-2 pb-5">{me === null ? <SignInForm onDone={close} /> : <Account me={me} />}</div>
      )}
    </Dialog>
  );
}

function Account({ me }: { me: Me }) {
  const leaving = useMutation({ mutationFn: () => signOut(me) });
  const verification = useMutation({
    mutationFn: () => done(createApi(null, me.csrf_token).POST("/v1/email-verifications")),
  });
  return (
    <div className="grid gap-3 text-sm">
      <p className="wrap-anywhere text-quiet">{me.email}</p>
      {me.organisations.map(({ id, name, role }) => (
        <p key={id} className="wrap-anywhere">
          {name} <span className="text-quiet">– {role ?? "what was granted"}</span>
        </p>
      ))}
      {!me.is_email_verified && (
        <p role="status">
          {verification.isSuccess ? (
            "A mail with a link is on its way."
          ) : (
            <>
              The address is not verified.{" "}
              <button
                type="button"
                className="underline underline-offset-2"
                disabled={verification.isPending}
                onClick={() => verification.mutate()}
              >
                Mail me a link
              </button>
            </>
          )}
        </p>
      )}
      <Refusal error={leaving.error ?? verification.error} />
      <div>
        <button type="button" className="control" disabled={leaving.isPending} onClick={() => leaving.mutate()}>
          Sign out
        </button>
      </div>
    </div>
  );
}
