import type { ReactNode } from "react";
import { ApiText } from "@/components/api-text";
import { ApiProblem, isNotModelledYet } from "@/lib/api";
import { plainText } from "@/lib/prose";

/** What was asked has no answer yet because there is nothing to count. */
export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="grid min-h-40 place-content-center gap-1 px-4 py-8 text-center">
      <p className="font-medium">{title}</p>
      {children && <p className="mx-auto max-w-prose text-pretty text-quiet text-sm">{children}</p>}
    </div>
  );
}

function describe(error: Error): { title: string; detail: string; code: string } {
  if (error instanceof ApiProblem) return error;
  return { title: "The page made a mistake", detail: error.message, code: error.name };
}

/** Nothing went wrong: the models have not run for the first time, and the page asks again by itself. */
export function NotModelledYet() {
  return (
    <Empty title="The first figures are on their way">
      The first run of the models comes within five minutes of the start. This page looks again every half minute.
    </Empty>
  );
}

/** What went wrong in the API's own words, with a way to try again. */
export function Failure({ error, onRetry }: { error: Error; onRetry: () => void }) {
  if (isNotModelledYet(error)) return <NotModelledYet />;
  const { title, detail, code } = describe(error);
  return (
    <div role="alert" className="m-4 rounded-md border border-bad/30 bg-bad-soft p-4">
      <p className="font-medium text-bad">{title}</p>
      <p className="mt-1 max-w-prose break-words text-sm">
        <ApiText text={detail} />
      </p>
      <div className="mt-3 flex flex-wrap items-center gap-3">
        <button type="button" className="control" onClick={onRetry}>
          Try again
        </button>
        <code className="font-mono text-quiet text-xs">{code}</code>
      </div>
    </div>
  );
}

/** The figures shown are older than wanted: asking again failed. */
export function StaleNotice({ error, onRetry }: { error: Error; onRetry: () => void }) {
  const { title, detail } = describe(error);
  return (
    <div role="status" className="flex flex-wrap items-center gap-x-3 gap-y-1 bg-warn-soft px-4 py-2 text-sm">
      <span>
        <span className="font-medium text-warn">Not refreshed.</span> <span title={plainText(detail)}>{title}</span>
      </span>
      <button type="button" className="underline underline-offset-2" onClick={onRetry}>
        Try again
      </button>
    </div>
  );
}
