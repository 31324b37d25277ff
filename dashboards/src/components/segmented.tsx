import { useId } from "react";

interface Option<Value extends string> {
  value: Value;
  label: string;
  disabled?: boolean;
  why?: string;
}

/** One of few: native radio buttons, so arrow keys and screen readers work as everywhere. */
export function Segmented<Value extends string>({
  label,
  value,
  options,
  onChange,
}: {
  label: string;
  value: Value;
  options: readonly Option<Value>[];
  onChange: (value: Value) => void;
}) {
  const name = useId();
  return (
    <fieldset className="inline-flex rounded-md border border-line bg-sunken p-0.5">
      <legend className="sr-only">{label}</legend>
      {options.map((option) => (
        <label
          key={option.value}
          title={option.why}
          className="relative flex min-h-[1.625rem] items-center rounded-sm px-2.5 text-sm text-quiet has-checked:bg-thumb has-checked:font-medium has-checked:text-ink has-checked:shadow-panel has-disabled:cursor-default has-disabled:opacity-45 has-focus-visible:outline-2 has-focus-visible:outline-accent not-has-disabled:hover:text-ink"
        >
          <input
            type="radio"
            className="absolute inset-0 cursor-[inherit] appearance-none outline-none"
            name={name}
            value={option.value}
            checked={option.value === value}
            disabled={option.disabled ?? false}
            onChange={() => onChange(option.value)}
          />
          {option.label}
        </label>
      ))}
    </fieldset>
  );
}
