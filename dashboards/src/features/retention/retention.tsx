import { useQuery } from "@tanstack/react-query";
import { Answer } from "@/components/answer";
import { EventPicker } from "@/components/event-picker";
import { Empty } from "@/components/notices";
import { Panel } from "@/components/panel";
import { Provenance } from "@/components/provenance";
import { Segmented } from "@/components/segmented";
import { type EventCount, eventNamesQuery, type Retention as RetentionAnswer, retentionQuery } from "@/lib/insights";
import { retentionQuestion } from "@/lib/questions";
import { GRID_UNITS, PERIODS } from "@/lib/search";
import { useView } from "@/lib/view";
import { toGrid } from "./grid";
import { RetentionTable } from "./retention-table";

const PERIOD_NAMES = { day: "Day", week: "Week", month: "Month" } as const;
const UNIT_NAMES = { share: "Share", persons: "Persons" } as const;
const NONE: readonly EventCount[] = [];

/** Of those who came for the first time in a period, how many came back in each later one. */
export function Retention({ className }: { className?: string }) {
  const { project, range, search, change } = useView();
  const question = retentionQuestion(search, range);
  const query = useQuery(retentionQuery(project, question));
  const names = useQuery(eventNamesQuery(project, range)).data?.data ?? NONE;
  const unit = search.unit ?? "share";
  return (
    <Panel
      id="retention"
      title="Retention"
      className={className ?? ""}
      note={query.data && <Rules data={query.data.data} />}
      controls={
        <>
          <EventPicker
            label="Started with"
            value={search.start_event ?? null}
            names={names}
            anyLabel="Any first event"
            onChange={(event) => change({ start_event: event ?? undefined })}
          />
          <span className="text-quiet text-sm">then</span>
          <EventPicker
            label="Came back with"
            value={search.return_event ?? null}
            names={names}
            anyLabel="Any event"
            onChange={(event) => change({ return_event: event ?? undefined })}
          />
          <Segmented
            label="Period"
            value={question.period}
            options={PERIODS.map((value) => ({ value, label: PERIOD_NAMES[value] }))}
            onChange={(period) => change({ period })}
          />
          <Segmented
            label="Cells show"
            value={unit}
            options={GRID_UNITS.map((value) => ({ value, label: UNIT_NAMES[value] }))}
            onChange={(chosen) => change({ unit: chosen })}
          />
        </>
      }
      footer={
        query.data && (
          <Provenance origins={[{ label: "Retention", meta: query.data.meta }]} timezone={project.timezone} />
        )
      }
    >
      <Answer query={query} skeleton={<Loading />}>
        {({ data }) =>
          data.cohorts.every(({ size }) => size === 0) ? (
            <Empty title="Nobody started in this range">
              {data.start_event === null
                ? "Everybody seen in it had been seen before, or nobody was seen."
                : `Nobody did ${data.start_event} for the first time in it.`}
            </Empty>
          ) : (
            <RetentionTable grid={toGrid(data, new Date())} period={data.period} unit={unit} />
          )
        }
      </Answer>
    </Panel>
  );
}

const COHORT_RULES: Record<RetentionAnswer["data"]["cohort"], string> = {
  first_time: "First-time cohorts: a person enters once, at the first such event ever",
};
const RETURN_RULES: Record<RetentionAnswer["data"]["return_rule"], string> = {
  on: "a return counts in the period in which it happened",
};

function Rules({ data }: { data: RetentionAnswer["data"] }) {
  return (
    <>
      {COHORT_RULES[data.cohort]}. {data.clock === "calendar" && `Calendar ${data.period}s in ${data.timezone}`};{" "}
      {RETURN_RULES[data.return_rule]}.
    </>
  );
}

function Loading() {
  return (
    <div className="grid gap-1 px-4 pb-4">
      {[8, 7, 6, 5, 4].map((cells) => (
        <div key={cells} className="grid grid-cols-10 gap-1">
          {Array.from({ length: cells + 2 }, (_, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: empty boxes have no other name
            <div key={index} className="skeleton h-8" />
          ))}
        </div>
      ))}
    </div>
  );
}
