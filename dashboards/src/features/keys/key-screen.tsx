import type { ReactNode } from "react";
import { ApiText } from "@/components/api-text";
import { Mark } from "@/components/mark";
import { maskKey, removeApiKey } from "@/lib/keys";
import { isRefused, type KeyStatus } from "@/lib/projects";
import { KeyForm } from "./key-form";

/** The first screen without a key that works: asks for one, and says what was wrong with those it has. */
export function KeyScreen({ statuses, notice }: { statuses: readonly KeyStatus[]; notice?: ReactNode }) {
  const refused = statuses.filter(({ problem }) => isRefused(problem));
  return (
    <main className="grid min-h-dvh place-items-center px-4 py-10">
      <div className="w-full max-w-md">
        <div className="flex items-center gap-2.5">
          <Mark size={28} />
          <span className="font-semibold text-lg tracking-[-0.01em]">RadixInsight</span>
        </div>
        <div className="mt-5 rounded-lg border border-line bg-surface p-6 shadow-panel">
          <h1 className="font-semibold text-lg">Open a project</h1>
          <p className="mt-1 text-pretty text-quiet text-sm">
            An API key says which project's figures you may see. It stays in this browser.
          </p>
          {notice && <div className="mt-4 rounded-md bg-warn-soft px-3 py-2 text-sm">{notice}</div>}
          {refused.map(({ apiKey, problem }) => (
            <div key={apiKey} className="mt-4 rounded-md border border-bad/30 bg-bad-soft px-3 py-2 text-sm">
              <p>
                The key <code className="font-mono text-xs">{maskKey(apiKey)}</code> was refused.
              </p>
              <p className="break-words text-quiet">{problem && <ApiText text={problem.message} />}</p>
              <button type="button" className="mt-1 underline underline-offset-2" onClick={() => removeApiKey(apiKey)}>
                Forget this key
              </button>
            </div>
          ))}
          <div className="mt-5">
            <KeyForm />
          </div>
        </div>
        <p className="mt-4 text-pretty px-1 text-quiet text-xs">
          <code className="font-mono">radixinsight status</code> shows where things run;{" "}
          <code className="font-mono">make demo</code> prints an address that carries its key. Several keys may be
          added, one for each project.
        </p>
      </div>
    </main>
  );
}
