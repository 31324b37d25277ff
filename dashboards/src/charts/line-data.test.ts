import { expect, test } from "vitest";
import { type LinePoint, labelledIndexes, splitLine } from "./line-data";

const points = (...values: [number, boolean][]): LinePoint[] =>
  values.map(([value, isComplete], index) => ({ label: `${index}`, longLabel: `${index}`, value, isComplete }));

test("the last finished point belongs to both parts, so the dashed one hangs on to the line", () => {
  expect(splitLine(points([5, true], [6, true], [2, false]))).toEqual({
    finished: [5, 6, null],
    unfinished: [null, 6, 2],
  });
});

test("a first week that lies partly outside the range is dashed as well", () => {
  expect(splitLine(points([1, false], [6, true], [7, true], [8, true]))).toEqual({
    finished: [null, 6, 7, 8],
    unfinished: [1, 6, null, null],
  });
});

test("a line that is all finished has no dashed part", () => {
  expect(splitLine(points([1, true], [2, true])).unfinished).toEqual([null, null]);
});

test("labels keep their distance and name the last point", () => {
  expect(labelledIndexes(30, 760, 76)).toEqual([2, 5, 8, 11, 14, 17, 20, 23, 26, 29]);
  expect(labelledIndexes(1, 760, 76)).toEqual([0]);
  expect(labelledIndexes(0, 760, 76)).toEqual([]);
  expect(labelledIndexes(5, 10, 76)).toEqual([4]);
});
