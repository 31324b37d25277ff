import { type ReactNode, useId, useState } from "react";
import { ChevronIcon, SourceIcon } from "@/components/icons";
import { formatBytes, formatCount, formatInstant, formatMoment } from "@/lib/format";
import type { Meta } from "@/lib/insights";
import { type SqlToken, tokenizeSql, withValues } from "@/lib/sql";

/** Values of a list that stand in the table. */
const SHOWN = 10;

export interface Origin {
  label: string;
  meta: Meta;
}

const TOKEN_LOOK: Record<SqlToken["kind"], string> = {
  text: "",
  keyword: "text-accent",
  placeholder: "rounded-sm bg-accent-soft text-accent",
  string: "text-warn",
  comment: "text-quiet italic",
};

/**
 * Where the figures above come from: tables, statement, bound values, when and how. Closed until asked for. `isBeside`:
 * on a wide screen the panel has a neighbour, so it stays low and scrolls as a whole.
 */
export function Provenance({
  origins,
  timezone,
  isBeside = false,
}: {
  origins: readonly Origin[];
  timezone: string;
  isBeside?: boolean;
}) {
  const [isOpen, setOpen] = useState(false);
  const [chosen, setChosen] = useState(0);
  const id = useId();
  const first = origins[0];
  if (first === undefined) return null;
  const origin = origins[chosen] ?? first;
  const tables = [...new Set(origins.flatMap(({ meta }) => meta.sources))].join(", ");
  return (
    <div className="text-xs">
      <button
        type="button"
        aria-expanded={isOpen}
        aria-controls={id}
        onClick={() => setOpen(!isOpen)}
        className="flex w-full min-w-0 items-center gap-2 rounded-b-lg px-4 py-2 text-left text-quiet hover:text-ink"
      >
        <SourceIcon />
        <span className="truncate">
          <span className="sr-only">Where does this number come from? </span>
          From <span className="font-mono">{tables}</span>, computed{" "}
          {formatMoment(origin.meta.computed_at, timezone, new Date())}
          {origin.meta.cached && ", from the cache"}
        </span>
        <span className={`ml-auto transition-transform ${isOpen ? "rotate-180" : ""}`}>
          <ChevronIcon />
        </span>
      </button>
      <div
        id={id}
        hidden={!isOpen}
        className={`border-line border-t px-4 py-3 ${isBeside ? "xl:max-h-80 xl:overflow-y-auto xl:[&_pre]:max-h-none" : ""}`}
      >
        {isOpen && (
          <>
            {origins.length > 1 && (
              <div className="mb-3 flex flex-wrap gap-1">
                {origins.map(({ label }, index) => (
                  <button
                    key={label}
                    type="button"
                    aria-pressed={index === chosen}
                    className="rounded-sm px-2 py-1 text-quiet aria-pressed:bg-accent-soft aria-pressed:text-ink"
                    onClick={() => setChosen(index)}
                  >
                    {label}
                  </button>
                ))}
              </div>
            )}
            <Details meta={origin.meta} timezone={timezone} />
          </>
        )}
      </div>
    </div>
  );
}

function Details({ meta, timezone }: { meta: Meta; timezone: string }) {
  return (
    <>
      <dl className="grid grid-cols-[auto_1fr] gap-x-4 gap-y-1">
        <Fact name="Tables">
          <span className="font-mono">{meta.sources.join(", ")}</span>
        </Fact>
        <Fact name="Newest event received">
          {meta.fresh_until === null ? "no events yet" : formatInstant(meta.fresh_until, timezone)}
        </Fact>
        {meta.unmodelled && (
          <Fact name="Not modelled yet">
            {meta.unmodelled.events === null ? "events" : `${formatCount(meta.unmodelled.events)} events`} that landed
            until {formatInstant(meta.unmodelled.until, timezone)}:{" "}
            {meta.unmodelled.is_counted ? "counted too" : "not in this answer yet"}
          </Fact>
        )}
        <Fact name="Computed">
          {formatInstant(meta.computed_at, timezone)}
          {meta.cached ? " (kept in the cache since; the data has not changed)" : " (for this answer)"}
        </Fact>
        <Fact name="Cost">
          {formatCount(meta.read_rows)} rows, {formatBytes(meta.read_bytes)} read; answered in{" "}
          {formatCount(Math.max(1, meta.elapsed_ms))} ms
        </Fact>
        <Fact name="Data version">
          <span className="break-all font-mono">{meta.data_version}</span>
        </Fact>
      </dl>
      <div className="mt-3 flex items-center justify-between">
        <h3 className="font-medium text-ink">Statement</h3>
        <CopyButton text={withValues(meta.sql, meta.parameters)} />
      </div>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable with the keyboard */}
      <pre tabIndex={0} className="mt-1 max-h-96 overflow-auto rounded-md bg-sunken p-3 font-mono leading-5">
        <code>{colourSql(meta.sql)}</code>
      </pre>
      <h3 className="mt-3 font-medium text-ink">Values bound to it</h3>
      <table className="mt-1 w-full max-w-2xl font-mono">
        <thead className="sr-only">
          <tr>
            <th scope="col">Name</th>
            <th scope="col">Value</th>
          </tr>
        </thead>
        <tbody>
          {Object.entries(meta.parameters).map(([name, value]) => (
            <tr key={name} className="border-line border-b last:border-0">
              <th scope="row" className="py-1 pr-4 text-left font-normal text-quiet">
                {name}
              </th>
              <td className="wrap-anywhere py-1">{Array.isArray(value) ? listed(value) : value}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </>
  );
}

/** The first values of a list, and how many more there are: the API's answer has all of them. */
function listed(values: readonly (string | number | number[])[]): string {
  const rest = values.length - SHOWN;
  const shown = values.slice(0, SHOWN).map((value) => (Array.isArray(value) ? `[${value.join(", ")}]` : value));
  return rest > 0 ? `${shown.join(", ")} … ${rest} more` : shown.join(", ");
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <>
      <dt className="text-quiet">{name}</dt>
      <dd className="min-w-0">{children}</dd>
    </>
  );
}

function colourSql(sql: string): ReactNode[] {
  let position = 0;
  return tokenizeSql(sql).map(({ kind, text }) => {
    const key = position;
    position += text.length;
    return (
      <span key={key} className={TOKEN_LOOK[kind]}>
        {text}
      </span>
    );
  });
}

const COPY = "Copy with its values";

function CopyButton({ text }: { text: string }) {
  const [said, setSaid] = useState(COPY);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setSaid("Copied");
    } catch {
      // Browsers give the clipboard to https and localhost only.
      setSaid("Select the text to copy it");
    }
    setTimeout(() => setSaid(COPY), 2000);
  };
  return (
    <button type="button" className="rounded-sm px-2 py-1 text-quiet hover:bg-sunken hover:text-ink" onClick={copy}>
      <span aria-live="polite">{said}</span>
    </button>
  );
}
