/** Where a tile lies on a dashboard, in columns and rows. */
interface Place {
  x: number;
  y: number;
  width: number;
  height: number;
}

/**
 * The CSS grid areas of a dashboard's tiles. A row here goes from one edge of a tile to the next one: figures are as
 * high as they are, and many empty rows are no more than one.
 */
export function gridAreas(tiles: readonly Place[]): string[] {
  const edges = [...new Set(tiles.flatMap(({ y, height }) => [y, y + height]))].sort((one, other) => one - other);
  const line = (y: number) => edges.indexOf(y) + 1;
  return tiles.map(({ x, y, width, height }) => `${line(y)} / ${x + 1} / ${line(y + height)} / ${x + width + 1}`);
}
