import { formatBucket, formatBucketLong, formatCount, formatRate } from "@/lib/format";
import type { GridUnit, Period } from "@/lib/search";
import type { Cell, Grid } from "./grid";

// The first two columns, names and sizes.
const COHORT_REM = 10;
const STICKY = "sticky left-0 z-10 bg-surface";

/** Cohorts downwards, periods since the start to the right. Hatched cells can still grow. */
export function RetentionTable({ grid, period, unit }: { grid: Grid; period: Period; unit: GridUnit }) {
  return (
    <>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable with the keyboard */}
      <div className="relative overflow-x-auto px-4" tabIndex={0}>
        <table
          className="figures w-full table-fixed border-separate border-spacing-0.5 text-xs"
          style={{
            minWidth: `${COHORT_REM + grid.columns.length * 3.25}rem`,
            maxWidth: `${COHORT_REM + grid.columns.length * 8}rem`,
          }}
        >
          <thead className="text-quiet">
            <tr>
              <th scope="col" className={`${STICKY} w-24 py-1 text-left font-normal`}>
                Cohort
              </th>
              <th scope="col" className="w-16 px-2 py-1 text-right font-normal">
                Persons
              </th>
              {grid.columns.map((index) => (
                <th key={index} scope="col" className="px-1 py-1 text-center font-normal capitalize">
                  {period} {index}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            <tr>
              <th scope="row" className={`${STICKY} py-1.5 text-left font-medium`}>
                Average
              </th>
              <td />
              {grid.averages.map((average) => (
                <td
                  key={average.index}
                  className="rounded-sm px-1 py-1.5 text-center font-semibold"
                  title={
                    average.rate === null
                      ? "No cohort has completed this period"
                      : `${formatCount(average.persons)} of ${formatCount(average.size)} persons, in cohorts that completed this period`
                  }
                >
                  {unit === "share" || average.rate === null ? formatRate(average.rate) : formatCount(average.persons)}
                </td>
              ))}
            </tr>
            {grid.rows.map((row) => (
              <tr key={row.start} className={row.size === 0 ? "text-quiet" : ""}>
                <th
                  scope="row"
                  title={formatBucketLong(row.start, period)}
                  className={`${STICKY} whitespace-nowrap py-1.5 pr-2 text-left font-normal`}
                >
                  {formatBucket(row.start, period)}
                </th>
                <td className="px-2 text-right text-quiet">{formatCount(row.size)}</td>
                {row.cells.map((cell, index) =>
                  cell === null ? (
                    // biome-ignore lint/suspicious/noArrayIndexKey: an empty cell is its column
                    <td key={index} />
                  ) : (
                    <CellView key={cell.index} cell={cell} size={row.size} period={period} unit={unit} />
                  ),
                )}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <Legend highest={grid.highest} />
    </>
  );
}

function CellView({ cell, size, period, unit }: { cell: Cell; size: number; period: Period; unit: GridUnit }) {
  const color = `color-mix(in oklab, var(--color-heat) ${Math.round(cell.heat * 100)}%, var(--color-sunken))`;
  const title = `${formatCount(cell.persons)} of ${formatCount(size)} persons (${formatRate(cell.rate)}) in ${period} ${cell.index}${cell.isComplete ? "" : ", which has not ended"}`;
  return (
    <td
      title={title}
      className={`rounded-sm px-1 py-1.5 text-center ${cell.isComplete ? "" : "unfinished"}`}
      style={{ backgroundColor: color }}
    >
      {unit === "share" ? formatRate(cell.rate) : formatCount(cell.persons)}
      {!cell.isComplete && <span className="sr-only"> (not complete)</span>}
    </td>
  );
}

function Legend({ highest }: { highest: number }) {
  return (
    <div className="flex flex-wrap items-center gap-x-5 gap-y-1 px-4 py-2.5 text-quiet text-xs">
      {highest === 0 ? (
        <span>Nobody came back.</span>
      ) : (
        <span className="inline-flex items-center gap-2">
          {formatRate(0)}
          <span
            aria-hidden="true"
            className="h-2.5 w-24 rounded-sm"
            style={{ background: "linear-gradient(90deg in oklab, var(--color-sunken), var(--color-heat))" }}
          />
          {formatRate(highest)} {highest < 1 && "or more "}came back
        </span>
      )}
      <span className="inline-flex items-center gap-2">
        <span aria-hidden="true" className="unfinished size-4 rounded-sm border border-line" />
        not complete: the period has not ended
      </span>
      <span>Averages are weighted by cohort size and leave those cells out.</span>
    </div>
  );
}
