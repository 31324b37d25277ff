import type { LinePoint } from "@/charts/line-data";
import { formatBucket, formatBucketLong } from "@/lib/format";
import type { Bucket } from "@/lib/insights";
import type { Interval } from "@/lib/search";

/** Points to draw: buckets that have not begun are left out, for their 0 would read as a fall. */
export function toPoints(buckets: readonly Bucket[], interval: Interval, now: Date): LinePoint[] {
  return buckets
    .filter(({ start }) => new Date(start) <= now)
    .map(({ start, value, is_complete }) => ({
      label: formatBucket(start, interval),
      longLabel: formatBucketLong(start, interval),
      value,
      isComplete: is_complete,
    }));
}

/** One sentence for those who do not see the line. */
export function summarize(points: readonly LinePoint[], subject: string): string {
  const first = points[0];
  const last = points.at(-1);
  if (first === undefined || last === undefined) return `${subject}: nothing to show`;
  const highest = points.reduce((top, point) => (point.value > top.value ? point : top), first);
  return `${subject}, ${points.length} points from ${first.longLabel} to ${last.longLabel}. Highest: ${highest.value} at ${highest.longLabel}. Arrow keys read them one by one.`;
}
