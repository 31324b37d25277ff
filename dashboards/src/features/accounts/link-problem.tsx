import { EntryCard } from "@/components/entry";
import { Refusal } from "@/components/form";

/** A link that does not work, why, and the way on. */
export function LinkProblem({ title, error, onLeave }: { title: string; error: Error; onLeave: () => void }) {
  return (
    <EntryCard title={title} isFirst>
      <Refusal error={error} />
      <button type="button" className="control mt-4" onClick={onLeave}>
        To the page
      </button>
    </EntryCard>
  );
}
