import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Entry, EntryCard } from "@/components/entry";
import { Field, Refusal, Submit, typed } from "@/components/form";
import { ApiProblem } from "@/lib/api";
import { openedQuery, wantsPassword } from "./queries";
import { SharedView } from "./shared-view";

/** Opens a shared link: asks for its password where it has one, says why it does not work, else shows what it is to. */
export function SharedLink({ token, onLeave }: { token: string; onLeave: () => void }) {
  const [password, setPassword] = useState<string | null>(null);
  const opened = useQuery(openedQuery(token, password));
  // A link that was taken back fails when it is opened anew, and shows what it showed no longer.
  if (opened.data && opened.error === null) {
    return <SharedView access={opened.data.access_token} onLapsed={() => void opened.refetch()} />;
  }
  if (opened.isPending && password === null) {
    return (
      <Entry>
        <EntryCard title="Opening the link …" isFirst />
      </Entry>
    );
  }
  if (wantsPassword(opened.error) || isTried(opened.error, password) || opened.isPending) {
    return (
      <Entry>
        <EntryCard title="The link wants its password" note="Whoever gave you the link has set one." isFirst>
          <form
            className="grid gap-3"
            onSubmit={(event) => {
              event.preventDefault();
              const said = typed(event.currentTarget)["password"] ?? "";
              if (said === password) void opened.refetch();
              else setPassword(said);
            }}
          >
            <Field label="Password" name="password" type="password" autoComplete="off" required />
            {password !== null && <Refusal error={wantsPassword(opened.error) ? WRONG : opened.error} />}
            <div>
              <Submit isBusy={opened.isFetching}>Open</Submit>
            </div>
          </form>
        </EntryCard>
      </Entry>
    );
  }
  return (
    <Entry>
      <EntryCard title="The link shows nothing" isFirst>
        <Refusal error={opened.error} />
        <div className="mt-4 flex flex-wrap gap-2">
          <button type="button" className="control" onClick={() => void opened.refetch()}>
            Try again
          </button>
          <button type="button" className="control" onClick={onLeave}>
            To the page
          </button>
        </div>
      </EntryCard>
    </Entry>
  );
}

const WRONG = new ApiProblem({
  status: 401,
  code: "link_password_wrong",
  title: "The password is wrong",
  detail: "Ask whoever gave you the link.",
});

/** Whether a password was tried too often: it may be tried again. */
function isTried(error: Error | null, password: string | null): boolean {
  return password !== null && error instanceof ApiProblem && error.code === "too_many_attempts";
}
