import { Empty } from "@/components/notices";
import type { Table } from "./tables";

/** The figures of one result. A long or wide table scrolls in its place. */
export function ResultTable({ name, tables }: { name: string; tables: readonly Table[] }) {
  if (tables.every(({ rows }) => rows.length === 0)) return <Empty title="Nothing in this range" />;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable with the keyboard
    <section tabIndex={0} aria-label={`Figures of ${name}`} className="max-h-96 overflow-auto px-4 pb-3">
      {tables.map(({ title, columns, labels, rows }) => (
        <table key={title} className="mb-2 w-full text-sm last:mb-0">
          {title !== null && <caption className="py-1 text-left font-medium">{title}</caption>}
          <thead className="sticky top-0 bg-surface text-quiet text-xs">
            <tr>
              {columns.map((column, index) => (
                <th
                  // biome-ignore lint/suspicious/noArrayIndexKey: columns may share a name and never move
                  key={index}
                  scope="col"
                  className={`py-1 font-normal ${index < labels ? "pr-3 text-left" : "pl-3 text-right"}`}
                >
                  {column}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map((row, at) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: rows hold nothing but text
              <tr key={at} className="border-line border-t">
                {row.map((text, index) =>
                  index === 0 ? (
                    // biome-ignore lint/suspicious/noArrayIndexKey: as above
                    <th key={index} scope="row" className="whitespace-nowrap py-1 pr-3 text-left font-normal">
                      {text}
                    </th>
                  ) : (
                    <td
                      // biome-ignore lint/suspicious/noArrayIndexKey: as above
                      key={index}
                      className={index < labels ? "pr-3" : "figures whitespace-nowrap pl-3 text-right"}
                    >
                      {text}
                    </td>
                  ),
                )}
              </tr>
            ))}
          </tbody>
        </table>
      ))}
    </section>
  );
}
