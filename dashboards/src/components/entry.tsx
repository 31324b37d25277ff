import type { ReactNode } from "react";
import { Mark } from "@/components/mark";

/** The screens before there is a project: the mark, and below it cards, beside each other where there is room. */
export function Entry({ isWide = false, children }: { isWide?: boolean; children: ReactNode }) {
  return (
    <main className="grid min-h-dvh place-items-center px-4 py-10">
      <div className={`w-full ${isWide ? "max-w-md md:max-w-3xl" : "max-w-md"}`}>
        <div className="flex items-center gap-2.5">
          <Mark size={28} />
          <span className="font-semibold text-lg tracking-[-0.01em]">RadixInsight</span>
        </div>
        <div className={`mt-5 grid items-start gap-4 ${isWide ? "md:grid-cols-2" : ""}`}>{children}</div>
      </div>
    </main>
  );
}

/** One thing that can be done there. */
export function EntryCard({
  title,
  note,
  isFirst = false,
  children,
}: {
  title: string;
  note?: ReactNode;
  isFirst?: boolean;
  children?: ReactNode;
}) {
  const Heading = isFirst ? "h1" : "h2";
  return (
    <section className="rounded-lg border border-line bg-surface p-6 shadow-panel">
      <Heading className="font-semibold text-lg">{title}</Heading>
      {note && <p className="mt-1 text-pretty text-quiet text-sm">{note}</p>}
      {children && <div className="mt-5">{children}</div>}
    </section>
  );
}
