/** A piece of a text: plain, or what stood between backticks. */
interface Span {
  text: string;
  isCode: boolean;
}

/** Part the API's words at their backticks; a single one without its partner stays as it is. */
export function splitCode(text: string): Span[] {
  return text
    .split(/(`[^`]+`)/)
    .filter((part) => part !== "")
    .map((part) =>
      /^`[^`]+`$/.test(part) ? { text: part.slice(1, -1), isCode: true } : { text: part, isCode: false },
    );
}

/** The same words without backticks, for places that can show plain text only. */
export function plainText(text: string): string {
  return splitCode(text)
    .map((span) => span.text)
    .join("");
}
