import { useSyncExternalStore } from "react";

export const THEMES = ["system", "light", "dark"] as const;
export type Theme = (typeof THEMES)[number];

const STORAGE = "radixinsight.theme";
const listeners = new Set<() => void>();
let theme: Theme = "system";

function apply(): void {
  if (theme === "system") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = theme;
  for (const listener of listeners) listener();
}

/** Bring back the theme chosen earlier and follow the system's; called once, before the first drawing. */
export function startTheme(): void {
  try {
    theme = THEMES.find((known) => known === localStorage.getItem(STORAGE)) ?? "system";
  } catch {
    theme = "system";
  }
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", apply);
  apply();
}

export function setTheme(chosen: Theme): void {
  theme = chosen;
  try {
    localStorage.setItem(STORAGE, chosen);
  } catch {
    // Storage can be switched off; the choice then lives as long as the page.
  }
  apply();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function useTheme(): Theme {
  return useSyncExternalStore(subscribe, () => theme);
}

/** Call `listener` when colours change; for what is drawn on a canvas, where style sheets do not reach. */
export function onThemeChange(listener: () => void): () => void {
  return subscribe(listener);
}

/** The colour that a design token has now, in a form that a canvas takes. */
export function tokenColor(element: Element, token: string): string {
  const probe = document.createElement("span");
  probe.style.color = `var(--color-${token})`;
  element.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}
