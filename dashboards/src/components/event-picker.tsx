import { type KeyboardEvent, useId, useState } from "react";
import { CheckIcon, ChevronIcon } from "@/components/icons";
import { Popover } from "@/components/popover";
import { formatCompact, formatCount } from "@/lib/format";
import type { EventCount } from "@/lib/insights";

interface Choice {
  event: string | null;
  name: string;
  events: number | null;
}

/** Choose an event by name; `anyLabel` offers "any event" too, as null. Type to narrow the list, arrows and Enter to take one. */
export function EventPicker({
  label,
  value,
  names,
  anyLabel,
  quiet = false,
  onChange,
}: {
  label: string;
  value: string | null;
  names: readonly EventCount[];
  anyLabel?: string;
  quiet?: boolean;
  onChange: (event: string | null) => void;
}) {
  const shown = value ?? anyLabel ?? "Choose an event";
  const look = quiet
    ? "inline-flex max-w-full min-h-7 items-center gap-1 rounded-sm px-1.5 -mx-1.5 hover:bg-sunken"
    : "control max-w-56";
  return (
    <Popover
      label={`${label}: ${shown}`}
      triggerClassName={look}
      className="w-72"
      trigger={
        <>
          <span className={`truncate ${value === null ? "" : "font-mono text-xs"}`}>{shown}</span>
          <span className="text-quiet">
            <ChevronIcon />
          </span>
        </>
      }
    >
      {(close) => (
        <Choices
          label={label}
          value={value}
          choices={listChoices(names, value, anyLabel)}
          onChoose={(event) => {
            onChange(event);
            close();
          }}
        />
      )}
    </Popover>
  );
}

function listChoices(names: readonly EventCount[], value: string | null, anyLabel: string | undefined): Choice[] {
  const choices: Choice[] = names.map(({ event, events }) => ({ event, name: event, events }));
  if (value !== null && !names.some(({ event }) => event === value)) {
    choices.unshift({ event: value, name: value, events: 0 });
  }
  if (anyLabel !== undefined) choices.unshift({ event: null, name: anyLabel, events: null });
  return choices;
}

function Choices({
  label,
  value,
  choices,
  onChoose,
}: {
  label: string;
  value: string | null;
  choices: readonly Choice[];
  onChoose: (event: string | null) => void;
}) {
  const [filter, setFilter] = useState("");
  const wanted = filter.trim().toLowerCase();
  const found = choices.filter(({ name }) => name.toLowerCase().includes(wanted));
  const [active, setActive] = useState(() =>
    Math.max(
      0,
      choices.findIndex(({ event }) => event === value),
    ),
  );
  const id = useId();
  const optionId = (index: number) => `${id}-${index}`;

  const move = (to: number) => {
    const next = Math.max(0, Math.min(found.length - 1, to));
    setActive(next);
    document.getElementById(optionId(next))?.scrollIntoView?.({ block: "nearest" });
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const steps: Record<string, number> = {
      ArrowDown: active + 1,
      ArrowUp: active - 1,
      Home: 0,
      End: found.length - 1,
    };
    const to = steps[event.key];
    if (to !== undefined) {
      event.preventDefault();
      move(to);
    } else if (event.key === "Enter") {
      event.preventDefault();
      const choice = found[active];
      if (choice !== undefined) onChoose(choice.event);
    }
  };

  return (
    <>
      <div className="border-line border-b p-2">
        <input
          // biome-ignore lint/a11y/noAutofocus: the user has just opened this list to type into it
          autoFocus
          type="text"
          role="combobox"
          aria-label={`Find: ${label}`}
          aria-expanded="true"
          aria-controls={id}
          aria-autocomplete="list"
          aria-activedescendant={found.length > 0 ? optionId(active) : undefined}
          className="w-full rounded-sm bg-sunken px-2 py-1.5 text-sm placeholder:text-quiet"
          placeholder="Find an event"
          value={filter}
          onChange={(event) => {
            setFilter(event.target.value);
            setActive(0);
          }}
          onKeyDown={onKeyDown}
        />
      </div>
      <div id={id} role="listbox" aria-label={label} className="max-h-72 overflow-y-auto p-1">
        {found.map((choice, index) => (
          // biome-ignore lint/a11y/useFocusableInteractive: see the listbox
          // biome-ignore lint/a11y/useKeyWithClickEvents: keys are handled by the input
          <div
            key={choice.event ?? ""}
            id={optionId(index)}
            role="option"
            aria-selected={choice.event === value}
            className={`flex cursor-pointer items-center gap-2 rounded-sm px-2 py-1.5 text-sm ${index === active ? "bg-accent-soft" : ""}`}
            onPointerMove={() => setActive(index)}
            onClick={() => onChoose(choice.event)}
          >
            <span className="w-4 text-accent">{choice.event === value && <CheckIcon />}</span>
            <span className={`min-w-0 flex-1 break-words ${choice.event === null ? "" : "font-mono text-xs"}`}>
              {choice.name}
            </span>
            {choice.events !== null && (
              <span className="figures text-quiet text-xs" title={`${formatCount(choice.events)} events`}>
                {choice.events === 0 ? "none in range" : formatCompact(choice.events)}
              </span>
            )}
          </div>
        ))}
        {found.length === 0 && <p className="px-2 py-3 text-quiet text-sm">No event is called that.</p>}
      </div>
    </>
  );
}
