import { ApiText } from "@/components/api-text";
import { Dialog } from "@/components/dialog";
import { maskKey, removeApiKey } from "@/lib/keys";
import type { KeyStatus } from "@/lib/projects";
import { KeyForm } from "./key-form";

/** The keys of this browser: what each opens, forget one, add another. */
export function KeyDialog({ statuses, onClose }: { statuses: readonly KeyStatus[]; onClose: () => void }) {
  return (
    <Dialog title="API keys in this browser" onClose={onClose}>
      {(close) => (
        <>
          <ul className="mt-3 border-line border-y">
            {statuses.map((status) => (
              <li
                key={status.apiKey}
                className="flex items-center gap-3 border-line border-b px-5 py-2.5 last:border-0"
              >
                <div className="min-w-0 flex-1">
                  <Opens status={status} />
                  <p className="font-mono text-quiet text-xs">{maskKey(status.apiKey)}</p>
                </div>
                <button
                  type="button"
                  className="control"
                  aria-label={`Forget the key ${maskKey(status.apiKey)}`}
                  onClick={() => removeApiKey(status.apiKey)}
                >
                  Forget
                </button>
              </li>
            ))}
          </ul>
          <div className="px-5 pt-4 pb-3">
            <KeyForm onAdded={close} />
          </div>
        </>
      )}
    </Dialog>
  );
}

/** The projects that a key opens, or why it opens none, in the API's words. */
function Opens({ status: { projects, problem, isPending } }: { status: KeyStatus }) {
  if (isPending) return <p className="text-quiet text-sm">Checking …</p>;
  if (problem !== null) {
    return (
      <p className="break-words text-bad text-sm">
        <ApiText text={problem.message} />
      </p>
    );
  }
  return <p className="truncate text-sm">{projects.map(({ name }) => name).join(", ") || "Opens no project"}</p>;
}
