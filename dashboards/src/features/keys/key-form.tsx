import { useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useId, useState } from "react";
import { ApiText } from "@/components/api-text";
import { ApiProblem } from "@/lib/api";
import { projectsQuery } from "@/lib/insights";
import { addApiKey } from "@/lib/keys";

/** Takes an API key, asks the API what it may see, and keeps it only if that is something. */
export function KeyForm({ onAdded }: { onAdded?: () => void }) {
  const client = useQueryClient();
  const [isChecking, setChecking] = useState(false);
  const [refusal, setRefusal] = useState<string | null>(null);
  const id = useId();

  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = event.currentTarget;
    const key = String(new FormData(form).get("key") ?? "").trim();
    if (key === "") return setRefusal("Paste the key first: it begins with rk_.");
    setChecking(true);
    setRefusal(null);
    try {
      await client.fetchQuery({ ...projectsQuery(key), staleTime: 0, retry: false });
      addApiKey(key);
      form.reset();
      onAdded?.();
    } catch (error) {
      setRefusal(error instanceof ApiProblem ? `${error.title}. ${error.detail}` : String(error));
    } finally {
      setChecking(false);
    }
  };

  return (
    <form onSubmit={submit} noValidate>
      <label htmlFor={id} className="block cursor-default text-sm">
        API key
      </label>
      <div className="mt-1 flex gap-2">
        <input
          id={id}
          name="key"
          type="password"
          autoComplete="off"
          spellCheck={false}
          placeholder="rk_…"
          aria-invalid={refusal !== null}
          aria-describedby={`${id}-refusal`}
          className="min-h-9 min-w-0 flex-1 rounded-md border border-edge bg-raised px-3 font-mono text-sm placeholder:text-quiet aria-invalid:border-bad"
        />
        <button
          type="submit"
          disabled={isChecking}
          className="min-h-9 rounded-md bg-accent px-4 font-medium text-on-accent text-sm hover:opacity-90 disabled:opacity-60"
        >
          {isChecking ? "Checking …" : "Open"}
        </button>
      </div>
      <p id={`${id}-refusal`} role="alert" className="mt-2 min-h-5 break-words text-bad text-sm">
        {refusal !== null && <ApiText text={refusal} />}
      </p>
    </form>
  );
}
