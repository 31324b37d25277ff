import type { ReactNode } from "react";
import { EventPicker } from "@/components/event-picker";
import { CloseIcon, DownIcon, UpIcon } from "@/components/icons";
import { formatCount, formatDuration, formatRate } from "@/lib/format";
import type { EventCount, FunnelStep } from "@/lib/insights";

const COLUMNS =
  "md:grid-cols-[1.25rem_minmax(8rem,13rem)_minmax(4rem,1fr)_4.5rem_4.5rem_5.5rem_6.5rem_5.5rem] md:gap-x-3";

/** Names of the columns, for the eye: each figure carries its own name for other readers. */
export function StepsHead() {
  return (
    <div
      aria-hidden="true"
      className={`hidden border-line border-b pb-1.5 text-right text-quiet text-xs md:grid ${COLUMNS}`}
    >
      <span className="col-span-3" />
      <span>Persons</span>
      <span>Of first</span>
      <span>Of previous</span>
      <span>Median time</span>
      <span />
    </div>
  );
}

interface StepRowProps {
  number: number;
  event: string;
  figures: FunnelStep | undefined;
  previousRate: number | null;
  isPending: boolean;
  names: readonly EventCount[];
  onReplace: (event: string) => void;
  onMoveUp: (() => void) | undefined;
  onMoveDown: (() => void) | undefined;
  onRemove: (() => void) | undefined;
}

/** One step: its event, which can be exchanged, its figures, and the buttons that move or remove it. */
export function StepRow(props: StepRowProps) {
  const { number, event, figures, names, isPending } = props;
  const missing = isPending ? <span className="skeleton ml-auto inline-block h-4 w-10 align-middle" /> : "–";
  const isFirst = number === 1;
  return (
    <li
      data-event={event}
      className={`group grid grid-cols-[1.25rem_minmax(0,1fr)_auto] items-center gap-x-2 gap-y-1.5 border-line border-b py-2.5 last:border-0 md:py-1.5 ${COLUMNS}`}
    >
      <span className="figures text-quiet text-sm" aria-hidden="true">
        {number}
      </span>
      <EventPicker
        quiet
        label={`Step ${number}`}
        value={event}
        names={names}
        onChange={(chosen) => chosen !== null && props.onReplace(chosen)}
      />
      <div className="col-span-3 row-start-2 md:col-span-1 md:row-start-auto">
        <Bar rate={figures?.conversion_from_first ?? null} previousRate={props.previousRate} />
      </div>
      <div className="col-span-3 row-start-3 grid grid-cols-[1fr_1fr_1fr_1.4fr] gap-x-2 text-sm md:contents">
        <FigureCell name="Persons" figure="persons" title={dropOff(figures)}>
          {figures ? formatCount(figures.persons) : missing}
        </FigureCell>
        <FigureCell name="Of first" figure="from-first">
          {figures ? formatRate(figures.conversion_from_first) : missing}
        </FigureCell>
        <FigureCell name="Of previous" figure="from-previous" title={dropOff(figures)}>
          {isFirst ? "" : figures ? formatRate(figures.conversion_from_previous) : missing}
        </FigureCell>
        <FigureCell
          name="Median time"
          figure="median"
          title={figures?.average_ms == null ? undefined : `${formatDuration(figures.average_ms)} on average`}
        >
          {isFirst ? "" : figures ? (figures.median_ms === null ? "–" : formatDuration(figures.median_ms)) : missing}
        </FigureCell>
      </div>
      <Buttons {...props} />
    </li>
  );
}

function dropOff(figures: FunnelStep | undefined): string | undefined {
  return figures && figures.step > 1 ? `${formatCount(figures.dropped_off)} did not come this far` : undefined;
}

function FigureCell({
  name,
  figure,
  title,
  children,
}: {
  name: string;
  figure: string;
  title?: string | undefined;
  children: ReactNode;
}) {
  return (
    <div className={`figures md:text-right ${figure === "persons" ? "font-semibold" : ""}`} title={title}>
      {children !== "" && (
        <span className="block font-normal text-2xs text-quiet md:sr-only">
          {name}
          <span className="sr-only">: </span>
        </span>
      )}
      <span data-figure={figure}>{children}</span>
    </div>
  );
}

/** The share of the first step that came this far; hatched, what the step before had more. */
function Bar({ rate, previousRate }: { rate: number | null; previousRate: number | null }) {
  const percent = (value: number | null) => `${(value ?? 0) * 100}%`;
  return (
    <div aria-hidden="true" className="relative h-5.5 overflow-hidden rounded-sm bg-sunken">
      {rate !== null && (
        <div className="unfinished absolute inset-y-0 left-0" style={{ width: percent(previousRate) }} />
      )}
      <div
        className="absolute inset-y-0 left-0 rounded-sm bg-accent transition-[width] duration-300"
        style={{ width: percent(rate) }}
      />
    </div>
  );
}

function Buttons({ number, onMoveUp, onMoveDown, onRemove }: StepRowProps) {
  return (
    <div className="col-start-3 row-start-1 flex justify-end md:col-start-auto md:row-start-auto md:opacity-55 md:transition-opacity md:group-focus-within:opacity-100 md:group-hover:opacity-100">
      <button
        type="button"
        className="icon-button"
        aria-label={`Move step ${number} up`}
        disabled={onMoveUp === undefined}
        onClick={onMoveUp}
      >
        <UpIcon />
      </button>
      <button
        type="button"
        className="icon-button"
        aria-label={`Move step ${number} down`}
        disabled={onMoveDown === undefined}
        onClick={onMoveDown}
      >
        <DownIcon />
      </button>
      <button
        type="button"
        className="icon-button"
        aria-label={`Remove step ${number}`}
        disabled={onRemove === undefined}
        onClick={onRemove}
      >
        <CloseIcon />
      </button>
    </div>
  );
}
