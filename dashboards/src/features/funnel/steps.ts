/** Edits of a funnel's steps, each as a new list. A funnel has 2 to 20 steps. */

export const MOST_STEPS = 20;
export const FEWEST_STEPS = 2;

export function replaceStep(steps: readonly string[], index: number, event: string): string[] {
  return steps.map((step, position) => (position === index ? event : step));
}

export function removeStep(steps: readonly string[], index: number): string[] {
  return steps.length <= FEWEST_STEPS ? [...steps] : steps.filter((_, position) => position !== index);
}

export function moveStep(steps: readonly string[], index: number, by: -1 | 1): string[] {
  const moved = [...steps];
  const here = moved[index];
  const there = moved[index + by];
  if (here === undefined || there === undefined) return moved;
  moved[index] = there;
  moved[index + by] = here;
  return moved;
}

/** Add a step at the end: the most frequent event that is not a step yet, else the last one again. */
export function addStep(steps: readonly string[], eventNames: readonly string[]): string[] {
  if (steps.length >= MOST_STEPS) return [...steps];
  const next = eventNames.find((name) => !steps.includes(name)) ?? steps.at(-1);
  return next === undefined ? [...steps] : [...steps, next];
}
