import { type IsoDate, isIsoDate } from "@/lib/calendar";
import { PRESETS, type Preset } from "@/lib/range";

export const INTERVALS = ["hour", "day", "week", "month"] as const;
export const MEASURES = ["events", "persons", "sessions"] as const;
export const PERIODS = ["day", "week", "month"] as const;
export const WINDOWS = ["30min", "1h", "1d", "7d", "14d", "30d", "90d"] as const;
export const GRID_UNITS = ["share", "persons"] as const;

export type Interval = (typeof INTERVALS)[number];
export type Measure = (typeof MEASURES)[number];
export type Period = (typeof PERIODS)[number];
export type Window = (typeof WINDOWS)[number];
export type GridUnit = (typeof GRID_UNITS)[number];

/** What the address says about the view. What is absent has its default; nothing else of the view is kept anywhere. */
export interface Search {
  project?: number;
  range?: Preset;
  from?: IsoDate;
  to?: IsoDate;
  event?: string;
  measure?: Measure;
  interval?: Interval;
  step?: string[];
  window?: Window;
  start_event?: string;
  return_event?: string;
  period?: Period;
  unit?: GridUnit;
}

/** An address as it was read, or a view that was read from one before. */
type Raw = Readonly<Record<string, unknown>>;

function only<T extends string>(value: unknown, allowed: readonly T[]): T | undefined {
  return allowed.find((candidate) => candidate === value);
}

function text(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

function projectId(value: unknown): number | undefined {
  const id = typeof value === "number" ? value : Number(text(value));
  return Number.isSafeInteger(id) && id > 0 ? id : undefined;
}

function steps(value: unknown): string[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const names = value.filter((name): name is string => typeof name === "string" && name !== "");
  return names.length >= 2 ? names.slice(0, 20) : undefined;
}

/**
 * Take from an address what is valid in it; a misspelt or outdated part falls back to its default. The router reads what
 * was read before once more, so a view has to come out as it went in.
 */
export function readSearch(raw: Raw): Search {
  const from = text(raw["from"]);
  const to = text(raw["to"]);
  const isRange = from !== undefined && to !== undefined && isIsoDate(from) && isIsoDate(to) && from < to;
  return compact({
    project: projectId(raw["project"]),
    range: isRange ? undefined : only(raw["range"], Object.keys(PRESETS) as Preset[]),
    from: isRange ? from : undefined,
    to: isRange ? to : undefined,
    event: text(raw["event"]),
    measure: only(raw["measure"], MEASURES),
    interval: only(raw["interval"], INTERVALS),
    step: steps(raw["step"]),
    window: only(raw["window"], WINDOWS),
    start_event: text(raw["start_event"]),
    return_event: text(raw["return_event"]),
    period: only(raw["period"], PERIODS),
    unit: only(raw["unit"], GRID_UNITS),
  });
}

/** Drop the parts that are undefined, so that a view has one address. */
export function compact(search: { [Key in keyof Search]: Search[Key] | undefined }): Search {
  return Object.fromEntries(Object.entries(search).filter(([, value]) => value !== undefined));
}

/** Read `?a=1&step=x&step=y`: a name that comes several times is a list. */
export function parseQueryString(query: string): Record<string, string | string[]> {
  const raw: Record<string, string | string[]> = {};
  for (const [name, value] of new URLSearchParams(query)) {
    const before = raw[name];
    raw[name] = before === undefined ? value : [...(Array.isArray(before) ? before : [before]), value];
  }
  return raw;
}

/** Write a view's address, the opposite of `parseQueryString`; empty when all is default. */
export function formatQueryString(search: object): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(search)) {
    for (const single of Array.isArray(value) ? value : [value]) {
      if (single !== undefined && single !== null) query.append(name, String(single));
    }
  }
  const written = query.toString();
  return written === "" ? "" : `?${written}`;
}
