import { type ReactNode, useId } from "react";

/** One question and its answer: title, controls, figures, and at the foot where they come from. */
export function Panel({
  id,
  title,
  note,
  controls,
  footer,
  children,
  className = "",
}: {
  id: string;
  title: string;
  note?: ReactNode;
  controls?: ReactNode;
  footer?: ReactNode;
  children: ReactNode;
  className?: string;
}) {
  const heading = useId();
  return (
    <section
      id={id}
      aria-labelledby={heading}
      className={`flex min-w-0 scroll-mt-20 flex-col rounded-lg border border-line bg-surface shadow-panel ${className}`}
    >
      <header className="flex flex-wrap items-center gap-x-4 gap-y-2 px-4 pt-3.5 pb-3">
        <div className={`min-w-0 flex-1 ${note ? "basis-64" : "basis-20"}`}>
          <h2 id={heading} className="font-semibold text-lg tracking-[-0.01em]">
            {title}
          </h2>
          {note && <p className="text-pretty text-quiet text-xs">{note}</p>}
        </div>
        {controls && <div className="flex min-w-0 flex-wrap items-center gap-2">{controls}</div>}
      </header>
      <div className="flex min-w-0 flex-1 flex-col">{children}</div>
      {footer && <footer className="border-line border-t">{footer}</footer>}
    </section>
  );
}
