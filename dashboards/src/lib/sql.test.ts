import { expect, test } from "vitest";
import { tokenizeSql, withValues } from "./sql";

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

test("a statement is copied with its values, in their types and escaped, and texts and comments stay", () => {
  const sql =
    "select '{a:String}' -- {a:String}\nwhere name = {a:String} and id in {ids:Array(UInt32)} and {other:Int8}";
  expect(withValues(sql, { a: "it's \\ {ids:Array(UInt32)}", ids: [1, 2] })).toBe(
    "select '{a:String}' -- {a:String}\nwhere name = cast('it\\'s \\\\ {ids:Array(UInt32)}' as String) and id in " +
      "cast([1, 2] as Array(UInt32)) and {other:Int8}",
  );
  expect(withValues("{edges:Array(Tuple(UInt8, UInt8))}", { edges: [[1, 2]] })).toBe(
    "cast([(1, 2)] as Array(Tuple(UInt8, UInt8)))",
  );
});
