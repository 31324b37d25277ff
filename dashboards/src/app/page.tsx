import { useNavigate, useSearch } from "@tanstack/react-router";
import { useCallback, useEffect, useMemo } from "react";
import { todayIn } from "@/lib/calendar";
import { useNow } from "@/lib/clock";
import { takeFromAddress, useLink } from "@/lib/link";
import { resolveRange } from "@/lib/range";
import { compact } from "@/lib/search";
import { type View, ViewProvider } from "@/lib/view";
import { DateRange } from "./date-range";
import { Freshness } from "./freshness";
import { LinkScreen } from "./link-screen";
import { Overview } from "./overview";
import { type Opened, ProjectGate } from "./project-gate";
import { Shell } from "./shell";

/** The page at `/`: the address decides what is seen, and every control only changes the address. */
export function Page() {
  const search = useSearch({ from: "/" });
  const navigate = useNavigate({ from: "/" });
  const change = useCallback<View["change"]>(
    (parts) =>
      void navigate({ search: (before) => compact({ ...before, ...parts }), replace: true, resetScroll: false }),
    [navigate],
  );
  // An address with a key or a link that is opened in a tab where the page runs already only changes the fragment.
  useEffect(() => {
    const onHashChange = () => {
      if (takeFromAddress() === "key") change({ project: undefined });
    };
    window.addEventListener("hashchange", onHashChange);
    return () => window.removeEventListener("hashchange", onHashChange);
  }, [change]);
  const link = useLink();
  if (link !== null) return <LinkScreen key={link.token} link={link} />;
  return (
    <ProjectGate wanted={search.project}>
      {(opened) => <ProjectPage key={opened.project.id} {...opened} search={search} change={change} />}
    </ProjectGate>
  );
}

function ProjectPage({ project, projects, statuses, me, search, change }: Opened & Pick<View, "search" | "change">) {
  const now = useNow();
  const today = todayIn(project.timezone, now);
  const { range: preset, from, to } = search;
  const range = useMemo(() => resolveRange(compact({ range: preset, from, to }), today), [preset, from, to, today]);
  useEffect(() => {
    document.title = `${project.name} – RadixInsight`;
  }, [project.name]);
  return (
    <Shell
      project={project}
      projects={projects}
      statuses={statuses}
      me={me}
      // Events, steps and such belong to the project that is left.
      onProject={(id) =>
        change({ project: id, event: undefined, step: undefined, start_event: undefined, return_event: undefined })
      }
      toolbar={
        <>
          <h1 className="mr-auto font-semibold text-lg tracking-[-0.01em] max-sm:sr-only">Overview</h1>
          <div className="mr-auto sm:order-last sm:mr-0">
            <DateRange search={search} range={range} today={today} timezone={project.timezone} change={change} />
          </div>
          <Freshness project={project} range={range} now={now} />
        </>
      }
    >
      <ViewProvider value={{ project, range, search, change }}>
        <Overview />
      </ViewProvider>
    </Shell>
  );
}
