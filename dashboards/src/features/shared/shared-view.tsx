import { useQuery } from "@tanstack/react-query";
import { type CSSProperties, useEffect } from "react";
import { Answer } from "@/components/answer";
import { Mark } from "@/components/mark";
import { Empty, Failure } from "@/components/notices";
import { Panel } from "@/components/panel";
import { ApiProblem } from "@/lib/api";
import { formatInstant } from "@/lib/format";
import { gridAreas } from "./places";
import { resultQuery, sharedQuery } from "./queries";
import { ResultTable } from "./result-table";
import { tablesOf } from "./tables";

/** A dashboard or an insight as whoever has a link sees it: to read, and nothing to change. */
export function SharedView({ access, onLapsed }: { access: string; onLapsed: () => void }) {
  const shared = useQuery(sharedQuery(access));
  const isLapsed =
    shared.error instanceof ApiProblem && ["link_not_opened", "link_unknown"].includes(shared.error.code);
  useEffect(() => {
    if (isLapsed) onLapsed();
  }, [isLapsed, onLapsed]);
  const name = shared.data?.name;
  useEffect(() => {
    if (name !== undefined) document.title = `${name} – RadixInsight`;
  }, [name]);
  if (shared.data === undefined) {
    return (
      <main aria-busy={shared.isPending} className="mx-auto max-w-[104rem] px-6 py-16">
        {shared.error ? (
          <Failure error={shared.error} onRetry={() => void shared.refetch()} />
        ) : (
          <div className="skeleton h-80" />
        )}
      </main>
    );
  }
  const { kind, description, timezone } = shared.data;
  const tiles = [...shared.data.tiles].sort((one, other) => one.y - other.y || one.x - other.x);
  const areas = gridAreas(tiles);
  return (
    <div className="mx-auto max-w-[104rem] px-3 py-4 sm:px-6 sm:py-5">
      <header className="mb-4 flex items-start gap-2.5">
        <Mark />
        <div className="min-w-0">
          <h1 className="wrap-anywhere font-semibold text-lg tracking-[-0.01em]">{shared.data.name}</h1>
          {description && <p className="wrap-anywhere max-w-prose whitespace-pre-line text-sm">{description}</p>}
          <p className="text-quiet text-xs">Shared by link, to read. Times are those of {timezone}.</p>
        </div>
      </header>
      <main className="grid grid-cols-1 items-start gap-4 lg:grid-cols-12">
        {kind === "insight" ? (
          <Result
            id="insight"
            name={shared.data.name}
            tile={null}
            {...{ access, timezone }}
            className="lg:col-span-12"
          />
        ) : tiles.length === 0 ? (
          <div className="lg:col-span-12">
            <Empty title="The dashboard is empty" />
          </div>
        ) : (
          tiles.map((tile, index) => (
            <div
              key={tile.id}
              style={{ "--place": areas[index] } as CSSProperties}
              className="min-w-0 lg:[grid-area:var(--place)]"
            >
              {tile.kind === "text" ? (
                <section className="wrap-anywhere whitespace-pre-line px-1 py-2 text-sm">{tile.text}</section>
              ) : tile.is_in_trash ? (
                <Panel id={tile.id} title={tile.name}>
                  <Empty title="In the trash">
                    Whoever may save in the project can take it out again; then it is shown here.
                  </Empty>
                </Panel>
              ) : tile.query_kind === null ? (
                <Panel id={tile.id} title={tile.name}>
                  <Empty title="Not shown by link">Its answer may tell who somebody is.</Empty>
                </Panel>
              ) : (
                <Result id={tile.id} name={tile.name} tile={tile.id} {...{ access, timezone }} />
              )}
            </div>
          ))
        )}
      </main>
    </div>
  );
}

function Result({
  id,
  name,
  tile,
  access,
  timezone,
  className = "",
}: {
  id: string;
  name: string;
  tile: string | null;
  access: string;
  timezone: string;
  className?: string;
}) {
  const query = useQuery(resultQuery(access, tile));
  return (
    <Panel
      id={id}
      title={name}
      className={className}
      footer={
        query.data && (
          <p className="px-4 py-2 text-quiet text-xs">
            Computed {formatInstant(query.data.computed_at, timezone)};{" "}
            {query.data.fresh_until === null
              ? "no events yet"
              : `newest event received ${formatInstant(query.data.fresh_until, timezone)}`}
            . The question and its statement are not shown by link.
          </p>
        )
      }
    >
      <Answer query={query} skeleton={<div className="skeleton mx-4 mb-4 h-40" />}>
        {(result) => <ResultTable name={name} tables={tablesOf(result)} />}
      </Answer>
    </Panel>
  );
}
