export interface SqlToken {
  kind: "text" | "keyword" | "placeholder" | "string" | "comment";
  text: string;
}

const KEYWORDS =
  "with|as|select|distinct|from|where|prewhere|and|or|not|in|between|group|by|order|having|limit|offset|join|inner|left|any|all|asof|on|using|union|case|when|then|else|end|if|is|null|fill|step|to|interval|over|partition|array|asc|desc|final|settings|format";

const PATTERN = new RegExp(
  `(?<comment>--[^\\n]*|/\\*[\\s\\S]*?\\*/)|(?<string>'(?:[^'\\\\]|\\\\.)*')|(?<placeholder>\\{\\w+:[^}]+\\})|(?<keyword>\\b(?:${KEYWORDS})\\b)`,
  "g",
);

type Value = string | number | readonly (string | number | readonly number[])[];

/** The statement with its bound values written into it, to be run anywhere. It is shown and copied, never sent. */
export function withValues(sql: string, parameters: Readonly<Record<string, Value>>): string {
  return tokenizeSql(sql)
    .map(({ kind, text }) => {
      const [, name = "", type = ""] = (kind === "placeholder" && /^\{(\w+):([^}]+)\}$/.exec(text)) || [];
      const value = parameters[name];
      return value === undefined ? text : `cast(${literal(value, type.includes("Tuple"))} as ${type.trim()})`;
    })
    .join("");
}

function literal(value: Value | string | number | readonly number[], isOfTuples: boolean): string {
  if (typeof value === "number") return String(value);
  if (typeof value === "string") return `'${value.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
  const items = value.map((item) =>
    isOfTuples && typeof item === "object" ? `(${item.join(", ")})` : literal(item, isOfTuples),
  );
  return `[${items.join(", ")}]`;
}

/** Cut a statement into what is coloured alike. Joined, the tokens are the statement. */
export function tokenizeSql(sql: string): SqlToken[] {
  const tokens: SqlToken[] = [];
  let position = 0;
  for (const match of sql.matchAll(PATTERN)) {
    if (match.index > position) tokens.push({ kind: "text", text: sql.slice(position, match.index) });
    const groups = match.groups ?? {};
    const kind = (["comment", "string", "placeholder", "keyword"] as const).find((name) => groups[name] !== undefined);
    tokens.push({ kind: kind ?? "text", text: match[0] });
    position = match.index + match[0].length;
  }
  if (position < sql.length) tokens.push({ kind: "text", text: sql.slice(position) });
  return tokens;
}
