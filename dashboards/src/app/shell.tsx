import { type ReactNode, useState } from "react";
import { ChartIcon, CodeIcon, KeyIcon, PersonIcon } from "@/components/icons";
import { Mark } from "@/components/mark";
import { Select } from "@/components/select";
import { AccountDialog } from "@/features/accounts/account-dialog";
import { KeyDialog } from "@/features/keys/key-dialog";
import type { Project } from "@/lib/insights";
import { isRefused, type KeyStatus } from "@/lib/projects";
import type { Me } from "@/lib/session";
import { ThemeSwitch } from "./theme-switch";

const SECTIONS = [
  { id: "trend", name: "Trend" },
  { id: "funnel", name: "Funnel" },
  { id: "retention", name: "Retention" },
] as const;

/** The frame around every page: sidebar where there is room, a bar at the top where there is not. */
export function Shell({
  project,
  projects,
  statuses,
  me,
  onProject,
  toolbar,
  children,
}: {
  project: Project;
  projects: readonly Project[];
  statuses: readonly KeyStatus[];
  me: Me | null;
  onProject: (id: number) => void;
  toolbar: ReactNode;
  children: ReactNode;
}) {
  const [shown, setShown] = useState<"account" | "keys" | null>(null);
  const close = () => setShown(null);
  const refused = statuses.filter(({ problem }) => isRefused(problem)).length;
  return (
    <div className="min-h-dvh lg:grid lg:grid-cols-[13.5rem_minmax(0,1fr)]">
      <a
        href="#main"
        className="sr-only z-50 rounded-md bg-raised px-3 py-2 shadow-float focus:not-sr-only focus:fixed focus:top-2 focus:left-2"
      >
        Skip to the figures
      </a>
      <aside className="flex flex-wrap items-center gap-x-3 gap-y-2 border-line border-b px-4 py-2.5 lg:sticky lg:top-0 lg:h-dvh lg:flex-col lg:flex-nowrap lg:items-stretch lg:gap-0 lg:border-r lg:border-b-0 lg:px-3 lg:py-4">
        <div className="flex items-center gap-2.5 lg:px-2">
          <Mark />
          <span className="font-semibold tracking-[-0.01em] max-sm:sr-only">RadixInsight</span>
        </div>
        <div className="min-w-0 max-lg:flex-1 lg:mt-5">
          <Select
            label="Project"
            className="w-full max-lg:max-w-64"
            value={String(project.id)}
            options={projects.map(({ id, name }) => ({ value: String(id), label: name }))}
            onChange={(id) => onProject(Number(id))}
          />
        </div>
        <nav aria-label="Pages" className="text-sm max-lg:hidden lg:mt-4">
          <a
            href="#main"
            aria-current="page"
            className="flex items-center gap-2 rounded-md bg-sunken px-2 py-1.5 font-medium"
          >
            <ChartIcon /> Overview
          </a>
          <ul className="mt-1 ml-[0.9375rem] border-line border-l">
            {SECTIONS.map(({ id, name }) => (
              <li key={id}>
                <a href={`#${id}`} className="block py-1 pl-4 text-quiet hover:text-ink">
                  {name}
                </a>
              </li>
            ))}
          </ul>
        </nav>
        <div className="flex items-center gap-1 lg:mt-auto lg:flex-col lg:items-stretch">
          <button
            type="button"
            aria-haspopup="dialog"
            className="flex min-h-8 min-w-0 items-center gap-2 rounded-md px-2 text-quiet text-sm hover:bg-sunken hover:text-ink"
            onClick={() => setShown("account")}
          >
            <PersonIcon />
            <span className="truncate max-lg:sr-only">
              {me === null ? (
                "Sign in"
              ) : (
                <>
                  <span className="sr-only">Signed in as </span>
                  {me.name}
                </>
              )}
            </span>
          </button>
          <button
            type="button"
            aria-haspopup="dialog"
            className="flex min-h-8 items-center gap-2 rounded-md px-2 text-quiet text-sm hover:bg-sunken hover:text-ink"
            onClick={() => setShown("keys")}
          >
            <KeyIcon />
            <span className="max-lg:sr-only">API keys</span>
            {refused > 0 && <span className="rounded-sm bg-bad-soft px-1.5 text-bad text-xs">{refused} refused</span>}
          </button>
          <a
            href="/docs"
            className="flex min-h-8 items-center gap-2 rounded-md px-2 text-quiet text-sm hover:bg-sunken hover:text-ink"
          >
            <CodeIcon />
            <span className="max-lg:sr-only">API reference</span>
          </a>
          <div className="max-sm:hidden lg:mt-2 lg:border-line lg:border-t lg:pt-2">
            <ThemeSwitch />
          </div>
        </div>
      </aside>
      <div className="min-w-0">
        <header className="sticky top-0 z-20 flex flex-wrap items-center gap-x-4 gap-y-2 border-line border-b bg-canvas/95 px-4 py-2.5 backdrop-blur-sm sm:px-6">
          {toolbar}
        </header>
        <main
          id="main"
          tabIndex={-1}
          className="mx-auto max-w-[104rem] scroll-mt-20 px-3 py-4 outline-none sm:px-6 sm:py-5"
        >
          {children}
        </main>
        <footer className="px-4 pb-6 sm:hidden">
          <ThemeSwitch />
        </footer>
      </div>
      {shown === "keys" && <KeyDialog statuses={statuses} onClose={close} />}
      {shown === "account" && <AccountDialog me={me} onClose={close} />}
    </div>
  );
}
