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
