import { useIsFetching, useQuery, useQueryClient } from "@tanstack/react-query";
import { RefreshIcon } from "@/components/icons";
import { formatAge, formatInstant, formatMoment } from "@/lib/format";
import { eventNamesQuery, type Project } from "@/lib/insights";
import type { DayRange } from "@/lib/range";

// Models run every five minutes: after three runs without anything newer the age is worth saying.
const OLD_MS = 15 * 60_000;

/** When the newest event that counts was received, and the button that asks again; without it the page asks every minute. */
export function Freshness({ project, range, now }: { project: Project; range: DayRange; now: Date }) {
  const client = useQueryClient();
  const isFetching = useIsFetching() > 0;
  const { data } = useQuery(eventNamesQuery(project, range));
  const until = data?.meta.fresh_until;
  const ageMs = until == null ? 0 : now.getTime() - new Date(until).getTime();
  const isOld = ageMs > OLD_MS;
  return (
    <div className="flex items-center gap-1.5 whitespace-nowrap text-quiet text-xs">
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
