import { useQuery } from "@tanstack/react-query";
import { Answer } from "@/components/answer";
import { Empty } from "@/components/notices";
import { Panel } from "@/components/panel";
import { Provenance } from "@/components/provenance";
import { formatCount } from "@/lib/format";
import { type EventCount, eventNamesQuery } from "@/lib/insights";
import { useView } from "@/lib/view";

/** Every event of the range with its counts; a click shows it in the trend. */
export function Events({ className }: { className?: string }) {
  const { project, range } = useView();
  const query = useQuery(eventNamesQuery(project, range));
  return (
    <Panel
      id="events"
      title="Events"
      note={
        query.data &&
        query.data.data.length > 0 &&
        `${formatCount(query.data.data.length)} names, most frequent first. Events counts every time it happened in the range, Persons each person once.`
      }
      className={`xl:min-h-96 ${className ?? ""}`}
      footer={
        query.data && (
          <Provenance origins={[{ label: "Events", meta: query.data.meta }]} timezone={project.timezone} isBeside />
        )
      }
    >
      <Answer query={query} skeleton={<Loading />}>
        {({ data }) =>
          data.length > 0 ? (
            <List rows={data} />
          ) : (
            <Empty title="Nothing in this range">Choose a longer or an earlier range.</Empty>
          )
        }
      </Answer>
    </Panel>
  );
}

function List({ rows }: { rows: readonly EventCount[] }) {
  const { search, change } = useView();
  const most = Math.max(...rows.map(({ events }) => events));
  return (
    // Beside the trend the list is as high as that and scrolls; it keeps its height when its source is opened below.
    <div className="xl:min-h-72">
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable with the keyboard */}
      <div className="max-h-80 overflow-y-auto px-4 xl:absolute xl:inset-0 xl:max-h-none" tabIndex={0}>
        <table className="w-full text-sm">
          <thead className="sticky top-0 z-10 bg-surface text-quiet text-xs">
            <tr>
              <th scope="col" className="pb-1 text-left font-normal">
                Event
              </th>
              <th scope="col" className="pb-1 pl-3 text-right font-normal">
                Events
              </th>
              <th scope="col" className="pb-1 pl-3 text-right font-normal">
                Persons
              </th>
            </tr>
          </thead>
          <tbody>
            {rows.map(({ event, events, persons }) => {
              const isChosen = search.event === event;
              return (
                <tr key={event}>
                  <th scope="row" className="relative w-full max-w-0 py-0.5 text-left font-normal">
                    <span
                      aria-hidden="true"
                      className="absolute inset-y-0.5 left-0 rounded-sm bg-accent-soft"
                      style={{ width: `${(events / most) * 100}%` }}
                    />
                    <button
                      type="button"
                      aria-pressed={isChosen}
                      title={isChosen ? "Show any event in the trend" : "Show in the trend"}
                      className="relative block min-h-6 w-full truncate rounded-sm px-2 text-left font-mono text-xs hover:underline aria-pressed:font-semibold"
                      onClick={() => change({ event: isChosen ? undefined : event })}
                    >
                      {event}
                    </button>
                  </th>
                  <td className="figures pl-3 text-right">{formatCount(events)}</td>
                  <td className="figures pl-3 text-right text-quiet">{formatCount(persons)}</td>
                </tr>
              );
            })}
          </tbody>
        </table>
        {/* Lies over the last rows that are seen as long as there are more below, and below the last of all. */}
        <div
          aria-hidden="true"
          className="pointer-events-none sticky bottom-0 h-8 bg-linear-to-t from-surface to-transparent"
        />
      </div>
    </div>
  );
}

function Loading() {
  return (
    <div className="grid gap-2 px-4 pb-4">
      {[92, 74, 66, 48, 40, 31, 22, 15].map((width) => (
        <div key={width} className="skeleton h-5" style={{ width: `${width}%` }} />
      ))}
    </div>
  );
}
