import { useMutation, useQueryClient } from "@tanstack/react-query";
import { EntryCard } from "@/components/entry";
import { Submit } from "@/components/form";
import { createApi, done } from "@/lib/api";
import { spendLink } from "@/lib/link";
import { refreshSession } from "@/lib/session";
import { LinkProblem } from "./link-problem";

/** Proves an address by the link that was mailed to it. Somebody presses: programs that look into mails open links. */
export function VerifyEmail({ token, onLeave }: { token: string; onLeave: () => void }) {
  const client = useQueryClient();
  const proof = useMutation({
    mutationFn: async () => {
      await done(createApi(null).POST("/v1/email-verifications/complete", { body: { token } }));
      spendLink();
      await refreshSession(client);
    },
  });
  if (proof.error) return <LinkProblem title="Verify your address" error={proof.error} onLeave={onLeave} />;
  if (proof.isSuccess) {
    return (
      <EntryCard title="The address is verified" isFirst>
        <button type="button" className="control" onClick={onLeave}>
          To the page
        </button>
      </EntryCard>
    );
  }
  return (
    <EntryCard title="Verify your address" note="The link was mailed to you to show that the address is yours." isFirst>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          proof.mutate();
        }}
      >
        <Submit isBusy={proof.isPending}>It is mine</Submit>
      </form>
    </EntryCard>
  );
}
