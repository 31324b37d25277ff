import { expect, test } from "vitest";
import { gridAreas } from "./places";

test("tiles keep their order and columns, and empty rows between them are one", () => {
  const tiles = [
    { x: 0, y: 0, width: 6, height: 8 },
    { x: 6, y: 0, width: 6, height: 4 },
    { x: 6, y: 4, width: 6, height: 4 },
    { x: 0, y: 90, width: 12, height: 2 },
  ];
  expect(gridAreas(tiles)).toEqual(["1 / 1 / 3 / 7", "1 / 7 / 2 / 13", "2 / 7 / 3 / 13", "4 / 1 / 5 / 13"]);
});
