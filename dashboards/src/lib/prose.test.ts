import { expect, test } from "vitest";
import { plainText, splitCode } from "./prose";

test("what stands between backticks is code", () => {
  expect(splitCode("Away; `radixinsight status` shows what runs.")).toEqual([
    { text: "Away; ", isCode: false },
    { text: "radixinsight status", isCode: true },
    { text: " shows what runs.", isCode: false },
  ]);
});

test("a backtick without a partner, and a pair with nothing in it, stay as they are", () => {
  expect(plainText("a ` b")).toBe("a ` b");
  expect(plainText("a `` b")).toBe("a `` b");
});

test("plain text has the words without the backticks", () => {
  expect(plainText("`a` then `b`")).toBe("a then b");
  expect(plainText("")).toBe("");
});
