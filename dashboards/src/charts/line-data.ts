export interface LinePoint {
  label: string;
  longLabel: string;
  value: number;
  isComplete: boolean;
}

type Series = (number | null)[];

/**
 * Cut a line in two: the finished part, and the unfinished one that is drawn dashed. They share the point at which one
 * passes into the other, so that the line has no gap.
 */
export function splitLine(points: readonly LinePoint[]): { finished: Series; unfinished: Series } {
  const isOpen = (index: number) => points[index]?.isComplete === false;
  return {
    finished: points.map((point) => (point.isComplete ? point.value : null)),
    unfinished: points.map((point, index) =>
      isOpen(index) || isOpen(index - 1) || isOpen(index + 1) ? point.value : null,
    ),
  };
}

/** Indexes to label on an axis `widthPx` wide: evenly spaced, far enough apart, the last ones counted from the end. */
export function labelledIndexes(count: number, widthPx: number, labelPx: number): number[] {
  if (count === 0) return [];
  const most = Math.max(1, Math.floor(widthPx / labelPx));
  const step = Math.max(1, Math.ceil(count / most));
  const indexes: number[] = [];
  for (let index = (count - 1) % step; index < count; index += step) indexes.push(index);
  return indexes;
}
