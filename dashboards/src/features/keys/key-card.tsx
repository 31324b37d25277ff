import { ApiText } from "@/components/api-text";
import { EntryCard } from "@/components/entry";
import { maskKey, removeApiKey } from "@/lib/keys";
import { isRefused, type KeyStatus } from "@/lib/projects";
import { KeyForm } from "./key-form";

/** Asks for a key, and says what was wrong with those that the browser has. */
export function KeyCard({ statuses }: { statuses: readonly KeyStatus[] }) {
  const refused = statuses.filter(({ problem }) => isRefused(problem));
  return (
    <EntryCard
      title="Open a project by its key"
      note="An API key says which project's figures you may see. It stays in this browser."
    >
      {refused.map(({ apiKey, problem }) => (
        <div key={apiKey} className="mb-4 rounded-md border border-bad/30 bg-bad-soft px-3 py-2 text-sm">
          <p>
            The key <code className="font-mono text-xs">{maskKey(apiKey)}</code> was refused.
          </p>
          <p className="break-words text-quiet">{problem && <ApiText text={problem.message} />}</p>
          <button type="button" className="mt-1 underline underline-offset-2" onClick={() => removeApiKey(apiKey)}>
            Forget this key
          </button>
        </div>
      ))}
      <KeyForm />
      <p className="mt-2 text-pretty text-quiet text-xs">
        <code className="font-mono">radixinsight status</code> shows where things run;{" "}
        <code className="font-mono">make demo</code> prints an address that carries its key. Several keys may be added,
        one for each project.
      </p>
    </EntryCard>
  );
}
