import { useQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { LineChart } from "@/charts/line-chart";
import type { LinePoint } from "@/charts/line-data";
import { Answer } from "@/components/answer";
import { EventPicker } from "@/components/event-picker";
import { Empty } from "@/components/notices";
import { Panel } from "@/components/panel";
import { Provenance } from "@/components/provenance";
import { Segmented } from "@/components/segmented";
import { formatCount } from "@/lib/format";
import { type EventCount, eventNamesQuery, type Timeseries, timeseriesQuery } from "@/lib/insights";
import { trendQuestion } from "@/lib/questions";
import { intervalFits } from "@/lib/range";
import { INTERVALS, MEASURES, type Measure } from "@/lib/search";
import { useView } from "@/lib/view";
import { summarize, toPoints } from "./trend-points";

const MEASURE_NAMES: Record<Measure, string> = { events: "Events", persons: "Persons", sessions: "Sessions" };
const INTERVAL_NAMES = { hour: "Hour", day: "Day", week: "Week", month: "Month" } as const;
const NONE: readonly EventCount[] = [];

/** One measure of one event over the range. */
export function Trend({ className }: { className?: string }) {
  const { project, range, search, change } = useView();
  const question = trendQuestion(search, range);
  const query = useQuery(timeseriesQuery(project, question));
  const names = useQuery(eventNamesQuery(project, range));
  return (
    <Panel
      id="trend"
      title="Trend"
      className={`xl:min-h-96 xl:self-start ${className ?? ""}`}
      controls={
        <>
          <EventPicker
            label="Event"
            value={search.event ?? null}
            names={names.data?.data ?? NONE}
            anyLabel="Any event"
            onChange={(event) => change({ event: event ?? undefined })}
          />
          <Segmented
            label="Measure"
            value={question.measure}
            options={MEASURES.map((value) => ({ value, label: MEASURE_NAMES[value] }))}
            onChange={(measure) => change({ measure })}
          />
          <Segmented
            label="Interval"
            value={question.interval}
            options={INTERVALS.map((value) => {
              const fits = intervalFits(value, range);
              return {
                value,
                label: INTERVAL_NAMES[value],
                disabled: !fits,
                ...(!fits && { why: "Too many points for this range" }),
              };
            })}
            onChange={(interval) => change({ interval })}
          />
        </>
      }
      footer={
        query.data && <Provenance origins={[{ label: "Trend", meta: query.data.meta }]} timezone={project.timezone} />
      }
    >
      <Answer query={query} skeleton={<div className="skeleton mx-4 mb-4 h-72" />}>
        {({ data }) => <Line data={data} />}
      </Answer>
    </Panel>
  );
}

function Line({ data }: { data: Timeseries["data"] }) {
  const points = useMemo(() => toPoints(data.buckets, data.interval, new Date()), [data]);
  if (points.every(({ value }) => value === 0)) {
    return (
      <Empty title="Nothing in this range">
        {data.event === null ? "No event happened in it." : `${data.event} did not happen in it.`} Choose another range
        or event.
      </Empty>
    );
  }
  const subject = `${MEASURE_NAMES[data.measure]} of ${data.event ?? "any event"} per ${data.interval}`;
  return (
    <div className="px-3 pb-2">
      <LineChart points={points} summary={summarize(points, subject)} unit={data.measure} />
      <div className="flex flex-wrap items-start justify-between gap-x-4 px-1">
        <AsTable points={points} subject={subject} />
        {points.some(({ isComplete }) => !isComplete) && (
          <p className="py-1 text-quiet text-xs">
            <svg width="22" height="8" aria-hidden="true" className="mr-1.5 inline text-accent">
              <path d="M0 4h22" stroke="currentColor" strokeWidth="2" strokeDasharray="4 3" />
            </svg>
            not complete: the {data.interval} has not ended or lies partly outside the range
          </p>
        )}
      </div>
    </div>
  );
}

function AsTable({ points, subject }: { points: readonly LinePoint[]; subject: string }) {
  const [isOpen, setOpen] = useState(false);
  return (
    <details className="min-w-0 text-xs open:basis-full" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary className="w-fit rounded-sm py-1 text-quiet hover:text-ink">As a table</summary>
      {isOpen && (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable with the keyboard
        <div className="relative max-h-72 overflow-y-auto" tabIndex={0}>
          <table className="figures w-full max-w-md">
            <caption className="sr-only">{subject}</caption>
            <thead className="sticky top-0 bg-surface text-quiet">
              <tr>
                <th scope="col" className="py-1 text-left font-normal">
                  Start
                </th>
                <th scope="col" className="py-1 text-right font-normal">
                  Value
                </th>
              </tr>
            </thead>
            <tbody>
              {points.map((point) => (
                <tr key={point.longLabel} className="border-line border-t">
                  <th scope="row" className="py-1 text-left font-normal">
                    {point.longLabel}
                    {!point.isComplete && <span className="text-quiet"> (not complete)</span>}
                  </th>
                  <td className="py-1 text-right">{formatCount(point.value)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </details>
  );
}
