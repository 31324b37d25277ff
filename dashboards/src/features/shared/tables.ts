import type { components } from "@/client/schema";
import { formatBucketLong, formatCount, formatDuration, formatFigure, formatRate } from "@/lib/format";
import type { Interval } from "@/lib/search";

type Schemas = components["schemas"];
type Kind = Schemas["SharedResult"]["kind"];

/** Figures as text, row by row. The first `labels` columns say what the row is about. */
export interface Table {
  title: string | null;
  columns: string[];
  labels: number;
  rows: string[][];
}

interface Line {
  period?: "current" | "previous";
  breakdown?: Schemas["BreakdownValue"][];
  currency?: string;
}

/** The tables that show a result: what came of each kind of question, in the words of the page. */
export function tablesOf(result: { kind: Kind; data: unknown }): Table[] {
  switch (result.kind) {
    case "trend":
      return [trend(result.data as Schemas["TrendData"])];
    case "funnel":
      return [funnel(result.data as Schemas["QueriedFunnelData"])];
    case "funnel_trend":
      return [funnelTrend(result.data as Schemas["FunnelTrendData"])];
    case "funnel_times":
      return [funnelTimes(result.data as Schemas["FunnelTimesData"])];
    case "retention":
      return (result.data as Schemas["QueriedRetentionData"]).lines.map((line) =>
        retention(line, result.data as Schemas["QueriedRetentionData"]),
      );
    case "lifecycle":
      return [lifecycle(result.data as Schemas["LifecycleData"])];
    case "stickiness":
      return [stickiness(result.data as Schemas["StickinessData"])];
    case "paths":
      return [paths(result.data as Schemas["PathsData"])];
    case "web":
      return [web(result.data as Schemas["WebData"])];
    case "revenue":
      return [revenue(result.data as Schemas["RevenueData"])];
  }
}

/** Columns that tell lines apart, where there is something to tell apart, and what they say of a line. */
function telling(lines: readonly Line[]): { columns: string[]; of: (line: Line) => string[] } {
  const hasPeriods = lines.some(({ period }) => period === "previous");
  const hasCurrency = lines.some(({ currency }) => currency !== undefined);
  const breakdowns = Math.max(0, ...lines.map(({ breakdown }) => breakdown?.length ?? 0));
  return {
    columns: [
      ...(hasPeriods ? ["Period"] : []),
      ...(hasCurrency ? ["Currency"] : []),
      ...Array.from({ length: breakdowns }, (_, index) => (index === 0 ? "By" : "and by")),
    ],
    of: ({ period, currency, breakdown }) => [
      ...(hasPeriods ? [period === "previous" ? "before" : "range"] : []),
      ...(hasCurrency ? [currency ?? ""] : []),
      ...Array.from({ length: breakdowns }, (_, index) => breakdown?.[index]?.text ?? ""),
    ],
  };
}

function bucket({ start, is_complete }: { start: string; is_complete: boolean }, interval: Interval | "total"): string {
  const name = interval === "total" ? "Whole range" : formatBucketLong(start, interval);
  return is_complete ? name : `${name} (so far)`;
}

const duration = (ms: number | null) => (ms === null ? "–" : formatDuration(ms));

function ofLines<Point extends { start: string; is_complete: boolean }>(
  { interval, lines }: { interval: Interval | "total"; lines: readonly (Line & { points: Point[] })[] },
  figures: Record<string, (point: Point) => string>,
): Table {
  const told = telling(lines);
  return {
    title: null,
    columns: ["When", ...told.columns, ...Object.keys(figures)],
    labels: 1 + told.columns.length,
    rows: lines.flatMap((line) =>
      line.points.map((point) => [
        bucket(point, interval),
        ...told.of(line),
        ...Object.values(figures).map((figure) => figure(point)),
      ]),
    ),
  };
}

function trend(data: Schemas["TrendData"]): Table {
  const names = [...new Set(data.lines.flatMap(({ points }) => points.flatMap(({ figures }) => Object.keys(figures))))];
  return ofLines(
    data,
    Object.fromEntries(
      names.map((name) => [name, ({ figures }: Schemas["TrendPoint"]) => formatFigure(figures[name] ?? null)]),
    ),
  );
}

function funnel({ lines }: Schemas["QueriedFunnelData"]): Table {
  const told = telling(lines);
  return {
    title: null,
    columns: [...told.columns, "Step", "Persons", "Of the first", "Of the step before", "Median time from it"],
    labels: told.columns.length + 1,
    rows: lines.flatMap((line) =>
      line.steps.map((step) => [
        ...told.of(line),
        `${step.step}. ${step.name}`,
        formatCount(step.persons),
        formatRate(step.conversion_from_first),
        formatRate(step.conversion_from_previous),
        duration(step.median_ms),
      ]),
    ),
  };
}

function funnelTrend({ interval, lines }: Schemas["FunnelTrendData"]): Table {
  const told = telling(lines);
  const steps = lines[0]?.buckets[0]?.steps ?? [];
  return {
    title: null,
    columns: ["Attempt began", ...told.columns, "Conversion", ...steps.map(({ step, name }) => `${step}. ${name}`)],
    labels: 1 + told.columns.length,
    rows: lines.flatMap((line) =>
      line.buckets.map((each) => {
        const mayConvert = each.steps.some(({ incomplete_persons }) => incomplete_persons > 0);
        const rate = formatRate(each.steps.at(-1)?.conversion_from_first ?? null);
        return [
          bucket(each, interval),
          ...told.of(line),
          mayConvert ? `${rate} (so far)` : rate,
          ...each.steps.map(({ persons }) => formatCount(persons)),
        ];
      }),
    ),
  };
}

function funnelTimes({ from_step, from_name, to_step, to_name, lines }: Schemas["FunnelTimesData"]): Table {
  const told = telling(lines);
  return {
    title: `From ${from_step}. ${from_name} to ${to_step}. ${to_name}`,
    columns: [...told.columns, "At least", "Less than", "Persons"],
    labels: told.columns.length + 2,
    rows: lines.flatMap((line) =>
      line.bins.map((bin) => [
        ...told.of(line),
        formatDuration(bin.from_ms),
        formatDuration(bin.to_ms),
        formatCount(bin.persons),
      ]),
    ),
  };
}

function retention(line: Schemas["RetentionLine"], data: Schemas["QueriedRetentionData"]): Table {
  const periods = Math.max(0, ...line.cohorts.map(({ cells }) => cells.length));
  const name = (index: number) => {
    const [first, last] = data.brackets[index] ?? [index, index];
    return first === last ? `${data.period} ${first}` : `${data.period} ${first}–${last}`;
  };
  return {
    title: line.breakdown.map(({ text }) => text).join(", ") || null,
    columns: ["Cohort", "Persons", ...Array.from({ length: periods }, (_, index) => name(index))],
    labels: 1,
    rows: line.cohorts.map(({ start, size, cells }) => [
      formatBucketLong(start, data.period),
      formatCount(size),
      ...Array.from({ length: periods }, (_, index) => {
        const cell = cells[index];
        if (cell === undefined) return "";
        return cell.is_complete ? formatRate(cell.rate) : `${formatRate(cell.rate)} (so far)`;
      }),
    ]),
  };
}

function lifecycle({ interval, buckets }: Schemas["LifecycleData"]): Table {
  return {
    title: null,
    columns: ["When", "Active", "New", "Returning", "Resurrecting", "Dormant"],
    labels: 1,
    rows: buckets.map((each) => [
      bucket(each, interval),
      formatCount(each.active_persons),
      formatCount(each.new_persons),
      formatCount(each.returning_persons),
      formatCount(each.resurrecting_persons),
      formatCount(each.dormant_persons),
    ]),
  };
}

function stickiness({ interval, counts }: Schemas["StickinessData"]): Table {
  return {
    title: null,
    columns: [`Active in so many ${interval}s`, "Persons", "In so many or more"],
    labels: 1,
    rows: counts.map((each) => [
      formatCount(each.buckets),
      formatCount(each.persons),
      formatCount(each.persons_at_least),
    ]),
  };
}

function paths({ edges }: Schemas["PathsData"]): Table {
  return {
    title: null,
    columns: ["Place", "From", "To", "Sequences", "Average time"],
    labels: 3,
    rows: edges.map((edge) => [
      formatCount(edge.position),
      edge.name,
      edge.next_name,
      formatCount(edge.sequences),
      formatDuration(edge.average_ms),
    ]),
  };
}

function web(data: Schemas["WebData"]): Table {
  return ofLines(data, {
    Visitors: ({ visitors }) => formatCount(visitors),
    Sessions: ({ sessions }) => formatCount(sessions),
    Views: ({ views }) => formatCount(views),
    "Bounce rate": ({ bounce_rate }) => formatRate(bounce_rate),
    "Average duration": ({ average_duration_ms }) => duration(average_duration_ms),
  });
}

function revenue(data: Schemas["RevenueData"]): Table {
  return ofLines(data, {
    Revenue: ({ revenue }) => formatFigure(Number(revenue)),
    Orders: ({ orders }) => formatCount(orders),
    Buyers: ({ buyers }) => formatCount(buyers),
    "Average order": ({ average_order_value }) => formatFigure(average_order_value),
  });
}
