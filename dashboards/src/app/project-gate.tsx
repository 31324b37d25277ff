import type { ReactNode } from "react";
import { Entry } from "@/components/entry";
import { Failure } from "@/components/notices";
import { SignInCard } from "@/features/accounts/sign-in-card";
import { SignedInCard } from "@/features/accounts/signed-in-card";
import { KeyCard } from "@/features/keys/key-card";
import type { Project } from "@/lib/insights";
import { useApiKeys } from "@/lib/keys";
import { isRefused, type KeyStatus, mergeProjects, useKeyStatuses } from "@/lib/projects";
import { isSessionRemembered, type Me, useSession } from "@/lib/session";

export interface Opened {
  project: Project;
  projects: Project[];
  statuses: KeyStatus[];
  me: Me | null;
}

/** Lets through to a project, by a key or by who is signed in; until there is one, says what is missing. */
export function ProjectGate({
  wanted,
  children,
}: {
  wanted: number | undefined;
  children: (opened: Opened) => ReactNode;
}) {
  const { statuses, retry } = useKeyStatuses(useApiKeys());
  const isWanted = ({ id }: Project) => wanted === undefined || id === wanted;
  const isOpenedByKey = statuses.some(({ projects }) => projects.some(isWanted));
  // A browser that never signed in here and has its key asks nothing: the answer would be a refusal.
  const session = useSession(
    isSessionRemembered() || (!isOpenedByKey && statuses.every((status) => !status.isPending)),
  );

  const openers = [...statuses, session];
  const projects = mergeProjects(openers);
  // The first opener's answer decides which project opens: wait for it, or for all when a certain one is wanted.
  const isPending = wanted === undefined ? openers[0]?.isPending : openers.some((opener) => opener.isPending);
  const project = projects.find(isWanted);

  if (project !== undefined) return children({ project, projects, statuses, me: session.me });
  if (isPending || (projects.length === 0 && openers.some((opener) => opener.isPending))) return <Opening />;
  const broken = openers.find(({ problem }) => problem !== null && !isRefused(problem));
  if (broken?.problem) {
    return (
      <main className="mx-auto max-w-xl pt-16">
        <Failure
          error={broken.problem}
          onRetry={() => {
            retry();
            session.retry();
          }}
        />
      </main>
    );
  }
  const other = projects[0];
  return (
    <Entry isWide>
      {other && (
        <p role="status" className="rounded-md bg-warn-soft px-3 py-2 text-sm md:col-span-2">
          No key in this browser opens project {wanted}
          {session.me && ", and this account does not see it"}. Add one, or go to{" "}
          <a href={`/?project=${other.id}`} className="underline underline-offset-2">
            {other.name}
          </a>
          .
        </p>
      )}
      {session.me ? (
        <SignedInCard me={session.me}>
          {other
            ? "It is another account that sees the project, or a key opens it."
            : "This account sees no project: it takes a role in an organisation, or a grant. If the organisation has a login of its own, sign out and sign in by that."}
        </SignedInCard>
      ) : (
        <SignInCard />
      )}
      <KeyCard statuses={statuses} />
    </Entry>
  );
}

function Opening() {
  return (
    <main aria-busy="true" className="mx-auto grid max-w-[104rem] gap-4 px-6 py-16">
      <span role="status" className="sr-only">
        Loading
      </span>
      <div className="skeleton h-28" />
      <div className="skeleton h-80" />
      <div className="skeleton h-64" />
    </main>
  );
}
