import { expect, test } from "vitest";
import { tokenizeSql } from "./sql";

const kinds = (sql: string) =>
  tokenizeSql(sql)
    .filter(({ kind }) => kind !== "text")
    .map(({ kind, text }) => `${kind} ${text}`);

test("placeholders, strings, comments and keywords are told apart", () => {
  expect(kinds("select 'from' -- where\nfrom t where id = {project_id:UInt32}")).toEqual([
    "keyword select",
    "string 'from'",
    "comment -- where",
    "keyword from",
    "keyword where",
    "placeholder {project_id:UInt32}",
  ]);
});

test("a keyword inside a name is none", () => {
  expect(kinds("ordering, from_date, t.selected")).toEqual([]);
});

test("nothing of the statement gets lost", () => {
  const sql = "with x as (select 'it\\'s', {s:Array(String)} /* as */ from `t`) select * from x limit 5\n";
  expect(
    tokenizeSql(sql)
      .map(({ text }) => text)
      .join(""),
  ).toBe(sql);
});
