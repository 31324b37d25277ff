import { addDays, addMonths, dateOf, type IsoDate, todayIn } from "@/lib/calendar";
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

interface Row {
  start: string;
  size: number;
  /** One per column; null where the period has not begun or the cohort is empty. */
  cells: (Cell | null)[];
}

export interface Grid {
  columns: number[];
  rows: Row[];
  averages: { index: number; rate: number | null; persons: number; size: number }[];
  /** The rate that is coloured fullest: the highest after period 0, small cohorts aside where others have returns. */
  highest: number;
}

/** First day of the cohort's period number `index`. */
function periodStart(start: string, index: number, period: Data["period"]): IsoDate {
  const day = dateOf(start);
  if (period === "month") return addMonths(day, index);
  return addDays(day, index * (period === "week" ? 7 : 1));
}

/** The grid as it is drawn: only columns that some cohort has begun, colours relative to the highest return. */
export function toGrid(data: Data, now: Date): Grid {
  // A cell whose time has not come shows nothing, not 0 %; nor does a cohort of nobody.
  const today = todayIn(data.timezone, now);
  const begun = data.cohorts.map((cohort) => ({
    ...cohort,
    cells: cohort.cells.filter(
      (cell) => cohort.size > 0 && periodStart(cohort.start, cell.period_index, data.period) <= today,
    ),
  }));
  const last = Math.max(0, ...begun.flatMap(({ cells }) => cells.map((cell) => cell.period_index)));
  const columns = Array.from({ length: last + 1 }, (_, index) => index);
  const highestFrom = (fewest: number) =>
    Math.max(
      0,
      ...begun
        .filter(({ size }) => size >= fewest)
        .flatMap(({ cells }) => cells.map((cell) => (cell.period_index === 0 ? 0 : (cell.rate ?? 0)))),
    );
  // Where one person came back, 100 % did: a cohort under a tenth of the largest would take the colour from the others.
  // Where the others have no returns (a shop whose first days were quiet), there is nothing to take.
  const enough = Math.max(0, ...begun.map(({ size }) => size)) / 10;
  const highest = highestFrom(enough) || highestFrom(0);
  // Period 0 is the cohort itself, always all of it: colouring it would only drown the others.
  const heat = (index: number, rate: number | null) =>
    index === 0 || rate === null || highest === 0 ? 0 : Math.min(1, rate / highest);
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
          heat: heat(index, cell.rate),
        };
      }),
    })),
    averages: columns.flatMap((index) => {
      const average = data.averages.find((candidate) => candidate.period_index === index);
      return average === undefined ? [] : [{ index, rate: average.rate, persons: average.persons, size: average.size }];
    }),
  };
}
