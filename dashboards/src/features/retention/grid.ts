import type { Retention } from "@/lib/insights";

type Data = Retention["data"];

export interface Cell {
  index: number;
  persons: number;
  rate: number | null;
  isComplete: boolean;
  /** How full the cell is coloured, 0 to 1. */
  heat: number;
}

export interface Row {
  start: string;
  size: number;
  /** One per column; null where the period has not begun. */
  cells: (Cell | null)[];
}

export interface Grid {
  columns: number[];
  rows: Row[];
  averages: { index: number; rate: number | null; persons: number; size: number; heat: number }[];
  /** The rate that is coloured fullest: the highest one after period 0. */
  highest: number;
}

/** Whether period `index` of the cohort has begun: a cell whose time has not come shows nothing, not 0 %. */
function hasBegun(start: string, index: number, period: Data["period"], now: Date): boolean {
  const begin = new Date(`${start.slice(0, 19)}Z`);
  if (period === "month") begin.setUTCMonth(begin.getUTCMonth() + index);
  else begin.setUTCDate(begin.getUTCDate() + index * (period === "week" ? 7 : 1));
  // Wall time against wall time: the offset is the cohort's own, an hour more or less at the border of a day.
  return begin.getTime() - offsetMs(start) <= now.getTime();
}

function offsetMs(instant: string): number {
  const match = /([+-])(\d{2}):(\d{2})$/.exec(instant);
  if (match === null) return 0;
  const minutes = Number(match[2]) * 60 + Number(match[3]);
  return (match[1] === "-" ? -1 : 1) * minutes * 60_000;
}

/** The grid as it is drawn: only columns that some cohort has begun, colours relative to the highest return. */
export function toGrid(data: Data, now: Date): Grid {
  const begun = data.cohorts.map((cohort) => ({
    ...cohort,
    cells: cohort.cells.filter((cell) => hasBegun(cohort.start, cell.period_index, data.period, now)),
  }));
  const last = Math.max(0, ...begun.flatMap(({ cells }) => cells.map((cell) => cell.period_index)));
  const columns = Array.from({ length: last + 1 }, (_, index) => index);
  const highest = Math.max(
    0,
    ...begun.flatMap(({ cells }) => cells.map((cell) => (cell.period_index === 0 ? 0 : (cell.rate ?? 0)))),
  );
  const heat = (rate: number | null) => (rate === null || highest === 0 ? 0 : Math.min(1, rate / highest));
  return {
    columns,
    highest,
    rows: begun.map(({ start, size, cells }) => ({
      start,
      size,
      cells: columns.map((index) => {
        const cell = cells.find((candidate) => candidate.period_index === index);
        if (cell === undefined) return null;
        return {
          index,
          persons: cell.persons,
          rate: cell.rate,
          isComplete: cell.is_complete,
          heat: heat(cell.rate),
        };
      }),
    })),
    averages: columns.flatMap((index) => {
      const average = data.averages.find((candidate) => candidate.period_index === index);
      return average === undefined
        ? []
        : [{ index, rate: average.rate, persons: average.persons, size: average.size, heat: heat(average.rate) }];
    }),
  };
}
