import { createContext, useContext } from "react";
import type { Project } from "@/lib/insights";
import type { DayRange } from "@/lib/range";
import type { Search } from "@/lib/search";

/** What a feature is told: whose figures, which days, what the address says, and how to change it. */
export interface View {
  project: Project;
  range: DayRange;
  search: Search;
  /** Change parts of the address; undefined takes a part back to its default. */
  change: (parts: { [Key in keyof Search]?: Search[Key] | undefined }) => void;
}

const ViewContext = createContext<View | null>(null);

export const ViewProvider = ViewContext.Provider;

export function useView(): View {
  const view = useContext(ViewContext);
  if (view === null) throw new Error("useView needs a ViewProvider above it");
  return view;
}
