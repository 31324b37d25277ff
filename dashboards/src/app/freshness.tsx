import { useIsFetching, useQuery, useQueryClient } from "@tanstack/react-query";
import { RefreshIcon } from "@/components/icons";
import { formatAge, formatInstant, formatMoment } from "@/lib/format";
import { eventNamesQuery, type Project } from "@/lib/insights";
import type { DayRange } from "@/lib/range";
import { type Silence, useSilence } from "./silence";

// Models run every five minutes: after three runs without anything newer the age is worth saying.
const OLD_MS = 15 * 60_000;

/**
 * When the newest event that counts was received, since when the API has been silent, and the button that asks again;
 * without it the page asks every minute.
 */
export function Freshness({ project, range, now }: { project: Project; range: DayRange; now: Date }) {
  const client = useQueryClient();
  const isFetching = useIsFetching() > 0;
  const { data } = useQuery(eventNamesQuery(project, range));
  const silence = useSilence(project.id);
  const until = data?.meta.fresh_until;
  const ageMs = until == null ? 0 : now.getTime() - new Date(until).getTime();
  const isOld = ageMs > OLD_MS;
  return (
    <div className="flex items-center gap-1.5 text-quiet text-xs">
      <div className="flex flex-wrap justify-end whitespace-nowrap">
        {until === undefined ? null : until === null ? (
          <span>No data yet</span>
        ) : (
          <span
            title={`The newest event counted was received ${formatInstant(until, project.timezone)}; some received before may still follow.${isOld ? " Nothing newer has arrived, or the model runs are late." : ""}`}
          >
            <span
              aria-hidden="true"
              className={`mr-1.5 inline-block size-1.5 rounded-full align-middle ${isOld ? "bg-warn" : "bg-accent"}`}
            />
            Newest event received <span className="figures text-ink">{formatMoment(until, project.timezone, now)}</span>
            {isOld && <span className="text-warn"> ({formatAge(ageMs)} old)</span>}
          </span>
        )}
        <span role="status" className="text-warn">
          {silence && <SilenceNote silence={silence} timezone={project.timezone} now={now} />}
        </span>
      </div>
      <button
        type="button"
        className="icon-button"
        aria-label="Refresh"
        title="Refresh now; it happens every minute by itself"
        onClick={() => void client.invalidateQueries()}
      >
        <span className={isFetching ? "animate-spin" : ""}>
          <RefreshIcon />
        </span>
      </button>
    </div>
  );
}

function SilenceNote({ silence, timezone, now }: { silence: Silence; timezone: string; now: Date }) {
  const { kind, sinceMs } = silence;
  const what = kind === "late" ? "no answer" : "not refreshed";
  return (
    <span
      className="ml-2"
      title={
        kind === "late"
          ? "The page has asked and waits; radixinsight status tells which processes run."
          : "The API could not answer when the page asked again; the parts concerned say why."
      }
    >
      {sinceMs === null ? `${what} yet` : `${what} since ${formatMoment(new Date(sinceMs), timezone, now)}`}
    </span>
  );
}
