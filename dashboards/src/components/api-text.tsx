import { splitCode } from "@/lib/prose";

/** The API's words, with what it sets in backticks as code. */
export function ApiText({ text }: { text: string }) {
  let position = 0;
  return splitCode(text).map((span) => {
    const key = position;
    position += span.text.length;
    return span.isCode ? (
      <code key={key} className="font-mono text-[0.92em]">
        {span.text}
      </code>
    ) : (
      span.text
    );
  });
}
