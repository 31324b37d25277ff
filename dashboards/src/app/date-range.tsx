import { type FormEvent, useState } from "react";
import { CalendarIcon, CheckIcon, ChevronIcon } from "@/components/icons";
import { Popover } from "@/components/popover";
import { addDays, type IsoDate } from "@/lib/calendar";
import { formatDay } from "@/lib/format";
import { type DayRange, DEFAULT_PRESET, PRESETS, type Preset } from "@/lib/range";
import type { Search } from "@/lib/search";
import type { View } from "@/lib/view";

/** The range by name or by first and last day; the last day is included here, as people mean it. */
export function DateRange({
  search,
  range,
  today,
  timezone,
  change,
}: {
  search: Search;
  range: DayRange;
  today: IsoDate;
  timezone: string;
  change: View["change"];
}) {
  const preset = search.from === undefined ? (search.range ?? DEFAULT_PRESET) : null;
  const days = `${formatDay(range.from)} – ${formatDay(addDays(range.to, -1), "long")}`;
  const shown = preset === null ? days : PRESETS[preset].label;
  return (
    <Popover
      label={`Date range: ${shown}`}
      className="w-72"
      trigger={
        <>
          <span className="text-quiet">
            <CalendarIcon />
          </span>
          <span className="truncate">{shown}</span>
          <span className="text-quiet">
            <ChevronIcon />
          </span>
        </>
      }
    >
      {(close) => (
        <>
          <ul className="p-1">
            {(Object.keys(PRESETS) as Preset[]).map((name) => (
              <li key={name}>
                <button
                  type="button"
                  aria-pressed={name === preset}
                  className="flex w-full items-center gap-2 rounded-sm px-2 py-1.5 text-left text-sm hover:bg-accent-soft"
                  onClick={() => {
                    change({ range: name === DEFAULT_PRESET ? undefined : name, from: undefined, to: undefined });
                    close();
                  }}
                >
                  <span className="w-4 text-accent">{name === preset && <CheckIcon />}</span>
                  {PRESETS[name].label}
                </button>
              </li>
            ))}
          </ul>
          <OwnRange
            range={range}
            today={today}
            onChoose={(from, to) => {
              change({ from, to, range: undefined });
              close();
            }}
          />
          <p className="border-line border-t px-3 py-2 text-quiet text-xs">Days in {timezone}</p>
        </>
      )}
    </Popover>
  );
}

function OwnRange({
  range,
  today,
  onChoose,
}: {
  range: DayRange;
  today: IsoDate;
  onChoose: (from: IsoDate, to: IsoDate) => void;
}) {
  const [first, setFirst] = useState(range.from);
  const [last, setLast] = useState(addDays(range.to, -1));
  const isValid = first !== "" && last !== "" && first <= last;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (isValid) onChoose(first, addDays(last, 1));
  };
  const field = "min-h-8 w-full rounded-md border border-line bg-surface px-2 text-sm";
  return (
    <form className="grid grid-cols-2 gap-2 border-line border-t p-3" onSubmit={submit}>
      <label className="text-quiet text-xs">
        First day
        <input type="date" className={field} value={first} max={today} onChange={(e) => setFirst(e.target.value)} />
      </label>
      <label className="text-quiet text-xs">
        Last day
        <input type="date" className={field} value={last} max={today} onChange={(e) => setLast(e.target.value)} />
      </label>
      <button type="submit" disabled={!isValid} className="control col-span-2 justify-center disabled:opacity-50">
        Show these days
      </button>
    </form>
  );
}
