import { type ReactNode, useEffect } from "react";
import { Failure } from "@/components/notices";
import { KeyScreen } from "@/features/keys/key-screen";
import type { Project } from "@/lib/insights";
import { takeKeyFromAddress, useApiKeys } from "@/lib/keys";
import { isRefused, type KeyStatus, mergeProjects, useKeyStatuses } from "@/lib/projects";

interface Opened {
  project: Project;
  projects: Project[];
  statuses: KeyStatus[];
}

/** Lets through to a project; until there is one, says what is missing. */
export function ProjectGate({
  wanted,
  onNewKey,
  children,
}: {
  wanted: number | undefined;
  onNewKey: () => void;
  children: (opened: Opened) => ReactNode;
}) {
  const apiKeys = useApiKeys();
  const { statuses, retry } = useKeyStatuses(apiKeys);

  // An address with a key that is opened in a tab where the page runs already only changes the fragment.
  useEffect(() => {
    const onHashChange = () => {
      if (takeKeyFromAddress() !== null) onNewKey();
    };
    window.addEventListener("hashchange", onHashChange);
    return () => window.removeEventListener("hashchange", onHashChange);
  }, [onNewKey]);

  const projects = mergeProjects(statuses);
  // The first key's answer decides which project opens: wait for it, or for all when a certain one is wanted.
  const isPending =
    wanted === undefined ? (statuses[0]?.isPending ?? false) : statuses.some((status) => status.isPending);
  const project = wanted === undefined ? projects[0] : projects.find(({ id }) => id === wanted);

  if (project !== undefined) return children({ project, projects, statuses });
  if (isPending || (projects.length === 0 && statuses.some((status) => status.isPending))) return <Opening />;
  const broken = statuses.find(({ problem }) => problem !== null && !isRefused(problem));
  if (broken?.problem) {
    return (
      <main className="mx-auto max-w-xl pt-16">
        <Failure error={broken.problem} onRetry={retry} />
      </main>
    );
  }
  return (
    <KeyScreen
      statuses={statuses}
      notice={
        projects.length > 0 && (
          <>
            No key in this browser opens project {wanted}. Add one, or go to{" "}
            <a href={`/?project=${projects[0]?.id}`} className="underline underline-offset-2">
              {projects[0]?.name}
            </a>
            .
          </>
        )
      }
    />
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
