import { useQuery } from "@tanstack/react-query";
import { Sparkline } from "@/charts/sparkline";
import { Failure, StaleNotice } from "@/components/notices";
import { type Origin, Provenance } from "@/components/provenance";
import { formatAverage, formatCount, formatRate } from "@/lib/format";
import { eventNamesQuery, retentionQuery, timeseriesQuery } from "@/lib/insights";
import { earlierQuestion, headlineQuestion, newPersonsQuestion } from "@/lib/questions";
import { useView } from "@/lib/view";
import { beginsWithin, cohortDays, type Figure, sinceFirstEvent, toDays, toFigure } from "./figures";

/** The range in four figures, each compared with the period of the same length before it. */
export function Headline() {
  const { project, range } = useView();
  const events = useQuery(timeseriesQuery(project, headlineQuestion("events", range)));
  const persons = useQuery(timeseriesQuery(project, headlineQuestion("persons", range)));
  const sessions = useQuery(timeseriesQuery(project, headlineQuestion("sessions", range)));
  const newPersons = useQuery(retentionQuery(project, newPersonsQuestion(range)));

  const all = [events, persons, sessions, newPersons];
  const failed = all.find(({ error }) => error !== null);
  const retry = () => {
    for (const query of all) if (query.error !== null) void query.refetch();
  };
  const eventDays = events.data && toDays(events.data.data.buckets);
  // Only where the days begin without an event is it worth asking whether there was one before.
  const earlier = useQuery({
    ...eventNamesQuery(project, earlierQuestion(range)),
    enabled: eventDays?.[0]?.value === 0,
  });
  const isBeginning = eventDays?.[0]?.value === 0 && earlier.data?.data.length === 0;
  const figure = (query: typeof events, kind: "total" | "average") => {
    if (query.data === undefined || eventDays === undefined) return undefined;
    return toFigure(sinceFirstEvent(toDays(query.data.data.buckets), eventDays, isBeginning), range.from, kind);
  };
  const averaged =
    eventDays && beginsWithin(eventDays, range.from, isBeginning)
      ? "average of complete days since the project's first event"
      : "average of complete days";
  const origins: Origin[] = [
    { label: "Events", query: events },
    { label: "Persons", query: persons },
    { label: "Sessions", query: sessions },
    { label: "New persons", query: newPersons },
  ].flatMap(({ label, query }) => (query.data === undefined ? [] : [{ label, meta: query.data.meta }]));

  if (failed?.error && failed.data === undefined) {
    return (
      <section aria-label="Headline figures" className="rounded-lg border border-line bg-surface shadow-panel">
        <Failure error={failed.error} onRetry={retry} />
      </section>
    );
  }
  return (
    <section aria-label="Headline figures" className="rounded-lg border border-line bg-surface shadow-panel">
      {failed?.error && (
        <div className="overflow-hidden rounded-t-lg">
          <StaleNotice error={failed.error} onRetry={retry} />
        </div>
      )}
      <dl
        className={`grid grid-cols-2 lg:grid-cols-4 ${all.some((query) => query.isPlaceholderData) ? "opacity-50" : ""}`}
      >
        <FigureView name="Events" note="in the range" figure={figure(events, "total")} />
        <FigureView name="Persons per day" note={averaged} figure={figure(persons, "average")} />
        <FigureView name="Sessions per day" note={averaged} figure={figure(sessions, "average")} />
        <FigureView
          name="New persons"
          note="first event ever in the range"
          figure={
            newPersons.data &&
            eventDays &&
            toFigure(
              sinceFirstEvent(cohortDays(newPersons.data.data.cohorts, eventDays), eventDays, isBeginning),
              range.from,
              "total",
            )
          }
        />
      </dl>
      {origins.length > 0 && (
        <footer className="border-line border-t">
          <Provenance origins={origins} timezone={project.timezone} />
        </footer>
      )}
    </section>
  );
}

function FigureView({ name, note, figure }: { name: string; note: string; figure: Figure | undefined }) {
  return (
    <div className="min-w-0 border-line px-4 py-3.5 not-first:border-l max-lg:odd:border-l-0 max-lg:nth-[n+3]:border-t">
      <dt className="text-quiet text-sm">{name}</dt>
      <dd>
        {figure === undefined ? (
          <Loading />
        ) : (
          <>
            <div className="flex flex-wrap items-baseline gap-x-2">
              <span className="figures font-semibold text-figure tracking-[-0.02em]">
                {figure.value === null
                  ? "–"
                  : Number.isInteger(figure.value)
                    ? formatCount(figure.value)
                    : formatAverage(figure.value)}
              </span>
              <Change change={figure.change} />
            </div>
            <p className="text-quiet text-xs">{figure.isSoFar ? "so far" : note}</p>
            <div className="mt-2">
              <Sparkline values={figure.shape} />
            </div>
          </>
        )}
      </dd>
    </div>
  );
}

function Change({ change }: { change: number | null }) {
  if (change === null) return null;
  const [arrow, word] = change > 0 ? ["↑", "more"] : change < 0 ? ["↓", "less"] : ["", "no change"];
  return (
    <span
      className="figures text-quiet text-xs"
      title="Average of complete days, against the period of the same length before"
    >
      <span aria-hidden="true">{arrow} </span>
      {formatRate(Math.abs(change))}
      <span className="sr-only"> {word} than in the period before</span>
    </span>
  );
}

function Loading() {
  return (
    <div aria-busy="true">
      <div className="skeleton my-1 h-6 w-24" />
      <div className="skeleton mt-2 h-3 w-32" />
      <div className="skeleton mt-3 h-6 w-full" />
    </div>
  );
}
