import { useQuery } from "@tanstack/react-query";
import { Answer } from "@/components/answer";
import { Empty, Failure } from "@/components/notices";
import { Panel } from "@/components/panel";
import { Provenance } from "@/components/provenance";
import { Select } from "@/components/select";
import { formatCount, formatRate, formatWindow } from "@/lib/format";
import { type EventCount, eventNamesQuery, type Funnel as FunnelAnswer, funnelQuery } from "@/lib/insights";
import { DEFAULT_WINDOW, funnelQuestion, funnelSteps } from "@/lib/questions";
import { WINDOWS, type Window } from "@/lib/search";
import { useView } from "@/lib/view";
import { StepRow, StepsHead } from "./step-row";
import { addStep, FEWEST_STEPS, MOST_STEPS, moveStep, removeStep, replaceStep } from "./steps";

const WINDOW_NAMES: Record<Window, string> = {
  "30min": "within 30 minutes",
  "1h": "within 1 hour",
  "1d": "within 1 day",
  "7d": "within 7 days",
  "14d": "within 14 days",
  "30d": "within 30 days",
  "90d": "within 90 days",
};
const NONE: readonly EventCount[] = [];

/** How many persons went from step to step. The list of figures is also the editor of the steps. */
export function Funnel({ className }: { className?: string }) {
  const { project, range, search, change } = useView();
  const names = useQuery(eventNamesQuery(project, range));
  const eventNames = names.data?.data.map(({ event }) => event);
  const steps = eventNames === undefined && search.step === undefined ? null : funnelSteps(search, eventNames ?? []);
  const query = useQuery(funnelQuery(project, steps && funnelQuestion(search, range, steps)));

  const content = () => {
    if (steps === null) {
      if (names.error !== null) return <Failure error={names.error} onRetry={() => void names.refetch()} />;
      if (names.isPending) return <Loading />;
      return (
        <Empty title="A funnel needs two events">
          Fewer than two different events happened in this range. Choose a longer or an earlier one.
        </Empty>
      );
    }
    return (
      <>
        <Answer query={query} skeleton={<div className="skeleton mx-4 mb-3 h-8 w-56" />}>
          {(answer) => <Summary answer={answer} />}
        </Answer>
        <StepList
          steps={steps}
          // Figures of other steps would stand beside the wrong names.
          answer={matches(query.data, steps) ? query.data : undefined}
          isPending={query.isFetching && query.error === null}
          names={names.data?.data ?? NONE}
          onChange={(step) => change({ step })}
        />
      </>
    );
  };

  return (
    <Panel
      id="funnel"
      title="Funnel"
      className={className ?? ""}
      note="Persons who did the steps in this order, other events in between allowed; each person's furthest attempt counts, once. The range selects the first step; later ones may follow after it. How often an event happened is in Events."
      controls={
        <Select
          label="Conversion window"
          value={search.window ?? DEFAULT_WINDOW}
          options={WINDOWS.map((value) => ({ value, label: WINDOW_NAMES[value] }))}
          onChange={(window) => change({ window })}
        />
      }
      footer={
        query.data && <Provenance origins={[{ label: "Funnel", meta: query.data.meta }]} timezone={project.timezone} />
      }
    >
      {content()}
    </Panel>
  );
}

function matches(answer: FunnelAnswer | undefined, steps: readonly string[]): boolean {
  const answered = answer?.data.steps.map(({ event }) => event);
  return answered?.length === steps.length && steps.every((step, index) => answered[index] === step);
}

function Summary({ answer: { data } }: { answer: FunnelAnswer }) {
  const first = data.steps[0];
  const last = data.steps.at(-1);
  if (first === undefined || last === undefined) return null;
  if (first.persons === 0) {
    return (
      <p className="px-4 pb-3 text-quiet text-sm">
        Nobody did <span className="font-mono text-xs">{first.event}</span> in this range.
      </p>
    );
  }
  return (
    <div className="grid gap-1 px-4 pb-3">
      <p className="flex flex-wrap items-baseline gap-x-2">
        <span data-figure="conversion" className="figures font-semibold text-figure tracking-[-0.02em]">
          {formatRate(data.conversion)}
        </span>
        <span className="text-quiet text-sm">
          {formatCount(last.persons)} of {formatCount(first.persons)} persons reached{" "}
          <span className="font-mono text-ink text-xs">{last.event}</span> within {formatWindow(data.window_ms)}
        </span>
      </p>
      {!data.is_complete && (
        <p data-note="incomplete" className="text-quiet text-sm">
          The windows of the latest entries are still open: those persons may yet convert.
        </p>
      )}
    </div>
  );
}

function StepList({
  steps,
  answer,
  isPending,
  names,
  onChange,
}: {
  steps: string[];
  answer: FunnelAnswer | undefined;
  isPending: boolean;
  names: readonly EventCount[];
  onChange: (steps: string[]) => void;
}) {
  return (
    <div className="px-4 pb-3">
      <StepsHead />
      <ol aria-label="Funnel steps" aria-busy={answer === undefined && isPending}>
        {steps.map((event, index) => (
          <StepRow
            // biome-ignore lint/suspicious/noArrayIndexKey: a step is its place; the same event may stand in two
            key={index}
            number={index + 1}
            event={event}
            figures={answer?.data.steps[index]}
            previousRate={index === 0 ? 1 : (answer?.data.steps[index - 1]?.conversion_from_first ?? null)}
            isPending={isPending}
            names={names}
            onReplace={(chosen) => onChange(replaceStep(steps, index, chosen))}
            onMoveUp={index > 0 ? () => onChange(moveStep(steps, index, -1)) : undefined}
            onMoveDown={index < steps.length - 1 ? () => onChange(moveStep(steps, index, 1)) : undefined}
            onRemove={steps.length > FEWEST_STEPS ? () => onChange(removeStep(steps, index)) : undefined}
          />
        ))}
      </ol>
      {steps.length < MOST_STEPS && (
        <button
          type="button"
          className="mt-1 -ml-1.5 inline-flex min-h-8 items-center rounded-sm px-1.5 text-quiet text-sm hover:bg-sunken hover:text-ink"
          onClick={() =>
            onChange(
              addStep(
                steps,
                names.map(({ event }) => event),
              ),
            )
          }
        >
          + Add a step
        </button>
      )}
    </div>
  );
}

function Loading() {
  return (
    <div aria-busy="true" className="grid gap-3 px-4 pb-4">
      <div className="skeleton h-8 w-56" />
      {[100, 72, 50, 34, 20].map((width) => (
        <div key={width} className="skeleton h-6" style={{ width: `${width}%` }} />
      ))}
    </div>
  );
}
