import { expect, test } from "vitest";
import { addStep, moveStep, removeStep, replaceStep } from "./steps";

test("a new step is the most frequent event that is not one yet", () => {
  expect(addStep(["a", "c"], ["a", "b", "c"])).toEqual(["a", "c", "b"]);
});

test("when every event is a step already, the last one is asked for again", () => {
  expect(addStep(["a", "b"], ["a", "b"])).toEqual(["a", "b", "b"]);
});

test("a funnel has 2 to 20 steps", () => {
  expect(removeStep(["a", "b"], 0)).toEqual(["a", "b"]);
  const most = Array.from({ length: 20 }, (_, index) => `${index}`);
  expect(addStep(most, ["x"])).toEqual(most);
});

test("steps change places with their neighbours and stay where there is none", () => {
  expect(moveStep(["a", "b", "c"], 1, -1)).toEqual(["b", "a", "c"]);
  expect(moveStep(["a", "b", "c"], 1, 1)).toEqual(["a", "c", "b"]);
  expect(moveStep(["a", "b", "c"], 0, -1)).toEqual(["a", "b", "c"]);
});

test("one of two equal steps is changed or removed without the other", () => {
  expect(replaceStep(["a", "b", "a"], 2, "c")).toEqual(["a", "b", "c"]);
  expect(removeStep(["a", "b", "a"], 0)).toEqual(["b", "a"]);
});
