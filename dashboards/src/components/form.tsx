import { type ComponentProps, type ReactNode, useId } from "react";
import { ApiText } from "@/components/api-text";
import { ApiProblem } from "@/lib/api";

/** A labelled field; `hint` says below it what may be typed. */
export function Field({ label, hint, ...input }: { label: string; hint?: string } & ComponentProps<"input">) {
  const id = useId();
  return (
    <div>
      <label htmlFor={id} className="block cursor-default text-sm">
        {label}
      </label>
      <input
        id={id}
        aria-describedby={hint && `${id}-hint`}
        className="mt-1 min-h-9 w-full rounded-md border border-edge bg-raised px-3 text-sm read-only:bg-sunken"
        {...input}
      />
      {hint && (
        <p id={`${id}-hint`} className="mt-1 text-quiet text-xs">
          {hint}
        </p>
      )}
    </div>
  );
}

/** The button that sends a form. */
export function Submit({ isBusy, children }: { isBusy: boolean; children: ReactNode }) {
  return (
    <button
      type="submit"
      disabled={isBusy}
      className="min-h-9 rounded-md bg-accent px-4 font-medium text-on-accent text-sm hover:opacity-90 disabled:opacity-60"
    >
      {children}
    </button>
  );
}

/** What was wrong with what was sent, in the API's words; read out when it comes. */
export function Refusal({ error }: { error: Error | null }) {
  return (
    <p role="alert" className="break-words text-bad text-sm empty:hidden">
      {error && (
        <ApiText
          text={error instanceof ApiProblem ? `${error.title}. ${error.detail}` : `It failed: ${error.message}`}
        />
      )}
    </p>
  );
}

/** What was typed into a form, by the names of its fields. */
export function typed(form: HTMLFormElement): Record<string, string> {
  return Object.fromEntries([...new FormData(form)].map(([name, value]) => [name, String(value)]));
}
