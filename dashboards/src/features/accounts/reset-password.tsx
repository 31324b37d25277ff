import { useMutation, useQueryClient } from "@tanstack/react-query";
import { EntryCard } from "@/components/entry";
import { Refusal, Submit, typed } from "@/components/form";
import { ApiProblem, createApi, done } from "@/lib/api";
import { spendLink } from "@/lib/link";
import { refreshSession } from "@/lib/session";
import { LinkProblem } from "./link-problem";
import { NewPassword } from "./new-password";

/** Sets a new password by the link that was mailed. */
export function ResetPassword({ token, onLeave }: { token: string; onLeave: () => void }) {
  const client = useQueryClient();
  const reset = useMutation({
    mutationFn: async (password: string) => {
      await done(createApi(null).POST("/v1/password-resets/complete", { body: { token, password } }));
      // All sessions have ended, perhaps this browser's too.
      spendLink();
      await refreshSession(client);
    },
  });
  if (reset.error instanceof ApiProblem && reset.error.code === "link_invalid") {
    return <LinkProblem title="Choose a new password" error={reset.error} onLeave={onLeave} />;
  }
  if (reset.isSuccess) {
    return (
      <EntryCard title="The new password holds" note="All sessions of the account have ended." isFirst>
        <button type="button" className="control" onClick={onLeave}>
          Sign in
        </button>
      </EntryCard>
    );
  }
  return (
    <EntryCard title="Choose a new password" isFirst>
      <form
        className="grid gap-3"
        onSubmit={(event) => {
          event.preventDefault();
          reset.mutate(typed(event.currentTarget)["password"] ?? "");
        }}
      >
        <NewPassword />
        <Refusal error={reset.error} />
        <div>
          <Submit isBusy={reset.isPending}>Set the password</Submit>
        </div>
      </form>
    </EntryCard>
  );
}
