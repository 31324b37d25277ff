import { type KeyboardEvent, useEffect, useRef, useState } from "react";
import uPlot from "uplot";
import { type LinePoint, labelledIndexes, splitLine } from "@/charts/line-data";
import { formatCompact, formatCount } from "@/lib/format";
import { onThemeChange, tokenColor } from "@/lib/theme";

const HEIGHT_PX = 284;
const LABEL_PX = 76;
const FONT = "11px system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif";

interface Pointed {
  index: number;
  leftPx: number;
  topPx: number;
}

/**
 * A line over buckets. The x axis counts buckets, not seconds: each has the same width, whatever a change of the clock
 * did to its length. Arrow keys walk along the line.
 */
export function LineChart({ points, summary, unit }: { points: readonly LinePoint[]; summary: string; unit: string }) {
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const [pointed, setPointed] = useState<Pointed | null>(null);

  useEffect(() => {
    const element = host.current;
    if (element === null) return;
    let drawn: uPlot | null = null;
    const draw = () => {
      drawn?.destroy();
      const data: uPlot.AlignedData = [points.map((_, index) => index), ...Object.values(splitLine(points))];
      drawn = new uPlot(options(element, points, setPointed), data, element);
      plot.current = drawn;
    };
    draw();
    const resizing = new ResizeObserver(() => drawn?.setSize({ width: element.clientWidth, height: HEIGHT_PX }));
    resizing.observe(element);
    const stopListening = onThemeChange(draw);
    return () => {
      stopListening();
      resizing.disconnect();
      drawn?.destroy();
      plot.current = null;
    };
  }, [points]);

  const point = pointed === null ? undefined : points[pointed.index];

  const onKeyDown = (event: KeyboardEvent) => {
    const last = points.length - 1;
    const from = pointed?.index;
    const to: Record<string, number> = {
      ArrowLeft: from === undefined ? last : Math.max(0, from - 1),
      ArrowRight: from === undefined ? 0 : Math.min(last, from + 1),
      Home: 0,
      End: last,
    };
    const index = to[event.key];
    const value = index === undefined ? undefined : points[index]?.value;
    if (index === undefined || value === undefined || plot.current === null) return;
    event.preventDefault();
    plot.current.setCursor({
      left: plot.current.valToPos(index, "x"),
      top: plot.current.valToPos(value, "y"),
    });
  };

  return (
    // biome-ignore lint/a11y/useSemanticElements: a chart that can be walked through is no fieldset
    <div
      role="group"
      aria-label={summary}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: arrow keys walk along the line
      tabIndex={0}
      className="relative rounded-md"
      onKeyDown={onKeyDown}
      onBlur={() => plot.current?.setCursor({ left: -10, top: -10 })}
    >
      <div ref={host} style={{ height: HEIGHT_PX }} />
      {pointed !== null && point !== undefined && (
        <div
          className="pointer-events-none absolute z-10 rounded-md border border-line bg-raised px-2.5 py-1.5 text-xs shadow-float"
          style={{
            left: pointed.leftPx,
            top: Math.max(0, pointed.topPx - 12),
            translate: `${pointed.index < points.length / 2 ? "12px" : "calc(-100% - 12px)"} -100%`,
            minWidth: "max-content",
          }}
        >
          <p className="text-quiet">{point.longLabel}</p>
          <p className="figures font-semibold text-sm">
            {formatCount(point.value)} <span className="font-normal text-quiet">{unit}</span>
          </p>
          {!point.isComplete && <p className="text-warn">not complete</p>}
        </div>
      )}
      <p className="sr-only" aria-live="polite">
        {point && `${point.longLabel}: ${formatCount(point.value)} ${unit}${point.isComplete ? "" : ", not complete"}`}
      </p>
    </div>
  );
}

function options(
  element: HTMLElement,
  points: readonly LinePoint[],
  onPoint: (pointed: Pointed | null) => void,
): uPlot.Options {
  const color = (token: string) => tokenColor(element, token);
  const line = color("accent");
  const few = points.length <= 45;
  const axis: uPlot.Axis = {
    stroke: color("quiet"),
    font: FONT,
    ticks: { show: false },
    grid: { stroke: color("line"), width: 1 },
  };
  return {
    width: element.clientWidth,
    height: HEIGHT_PX,
    padding: [14, 14, 0, 0],
    legend: { show: false },
    cursor: {
      y: false,
      points: { size: 9, width: 2, stroke: color("surface"), fill: line },
      drag: { x: false, y: false },
    },
    scales: {
      // Half a bucket of air at both ends; a single bucket stands in the middle.
      x: { time: false, range: [-0.5, points.length - 0.5] },
      y: { range: (_, __, most) => [0, Math.max(4, (most ?? 0) * 1.08)] },
    },
    axes: [
      {
        ...axis,
        grid: { show: false },
        gap: 8,
        size: 32,
        splits: (self) => labelledIndexes(points.length, self.width, LABEL_PX),
        values: (_, splits) => splits.map((index) => points[index]?.label ?? ""),
      },
      {
        ...axis,
        gap: 8,
        size: 52,
        space: 44,
        incrs: [1, 2, 5]
          .flatMap((digit) => [...Array(13).keys()].map((power) => digit * 10 ** power))
          .sort((a, b) => a - b),
        values: (_, splits) => splits.map(formatCompact),
      },
    ],
    series: [
      {},
      {
        stroke: line,
        width: 2,
        fill: fade(line),
        points: { show: few, size: 5, fill: line, stroke: line },
      },
      {
        stroke: line,
        width: 2,
        dash: [5, 5],
        points: { show: few, size: 5, fill: color("surface"), stroke: line, width: 1.5 },
      },
    ],
    hooks: {
      setCursor: [
        (self) => {
          const { idx, left } = self.cursor;
          const value = idx == null ? undefined : points[idx]?.value;
          if (idx == null || value === undefined || left === undefined || left < 0) return onPoint(null);
          onPoint({
            index: idx,
            leftPx: self.valToPos(idx, "x") + self.bbox.left / devicePixelRatio,
            topPx: self.valToPos(value, "y") + self.bbox.top / devicePixelRatio,
          });
        },
      ],
    },
  };
}

function fade(color: string): uPlot.Series.Fill {
  return (self) => {
    const { top, height } = self.bbox;
    const gradient = self.ctx.createLinearGradient(0, top, 0, top + height);
    gradient.addColorStop(0, `color-mix(in oklab, ${color} 16%, transparent)`);
    gradient.addColorStop(1, `color-mix(in oklab, ${color} 2%, transparent)`);
    return gradient;
  };
}
