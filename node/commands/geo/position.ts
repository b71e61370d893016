/*
 * Positions as scores, as Redis keeps them: longitude and latitude as whole numbers of 26 bits, interleaved, the longitude in the odd bits.
 * A cell of `step` bits a side is a range of such scores. Source: G. M. Morton (1966); the limits are those of EPSG:3857.
 */

export const MAX_LONGITUDE = 180;
export const MAX_LATITUDE = 85.05112878;
/** Bits of a longitude or latitude. */
export const MAX_STEP = 26;
const LONGITUDE_RANGE = 2 * MAX_LONGITUDE;
const LATITUDE_RANGE = 2 * MAX_LATITUDE;
const MAX_STANDARD_LATITUDE = 90;
const WORD = 2 ** 32;
const INT64 = 2 ** 63;
const GEOHASH_LETTERS = '0123456789bcdefghjkmnpqrstuvwxyz';
const GEOHASH_BITS = 52;

/** A place, in degrees. */
export interface Position {
  readonly longitude: number;
  readonly latitude: number;
}

/** A square of the grid of 2^step by 2^step: its column and row. */
export interface Cell {
  readonly column: number;
  readonly row: number;
  readonly step: number;
}

/** The edges of a cell, in degrees. */
export interface Edges {
  readonly west: number;
  readonly east: number;
  readonly south: number;
  readonly north: number;
}

/** Puts the lower 16 bits into the even bits of 32. */
function spread(bits: number): number {
  let x = bits & 0xffff;
  x = (x | (x << 8)) & 0x00ff00ff;
  x = (x | (x << 4)) & 0x0f0f0f0f;
  x = (x | (x << 2)) & 0x33333333;
  return (x | (x << 1)) & 0x55555555;
}

/** The even bits of 32, put together. */
function squash(bits: number): number {
  let x = bits & 0x55555555;
  x = (x | (x >>> 1)) & 0x33333333;
  x = (x | (x >>> 2)) & 0x0f0f0f0f;
  x = (x | (x >>> 4)) & 0x00ff00ff;
  return (x | (x >>> 8)) & 0xffff;
}

function interleave({ column, row }: Cell): number {
  const low = spread(row) | (spread(column) << 1);
  const high = spread(row >>> 16) | (spread(column >>> 16) << 1);
  return (high >>> 0) * WORD + (low >>> 0);
}

/** The cell a position is in. At the upper limits it is one beyond the last, as in Redis. */
export function cellOf({ longitude, latitude }: Position, step: number): Cell {
  const side = 2 ** step;
  const column = Math.floor(((longitude + MAX_LONGITUDE) / LONGITUDE_RANGE) * side);
  const row = Math.floor(((latitude + MAX_LATITUDE) / LATITUDE_RANGE) * side);
  return { column, row, step };
}

/** The scores of a cell: from `first` to below `end`. */
export function scoresOf(cell: Cell): { first: number; end: number } {
  const size = 4 ** (MAX_STEP - cell.step);
  const bits = interleave(cell);
  return { first: bits * size, end: (bits + 1) * size };
}

/** The score of a position. */
export function scoreOf(position: Position): number {
  return interleave(cellOf(position, MAX_STEP));
}

/** The upper and lower word of a score as C makes 64 bits of a double. */
function wordsOf(score: number): [high: number, low: number] {
  if (score >= 0 && score < INT64) return [Math.floor(score / WORD), score % WORD];
  let bits = 0n;
  if (score < -INT64) bits = 1n << 63n;
  else if (score < 2 * INT64) bits = BigInt.asUintN(64, BigInt(Math.trunc(score)));
  return [Number(bits >> 32n), Number(bits & 0xffffffffn)];
}

/** The cell of the finest grid that a score stands for, whatever the score is. */
function cellOfScore(score: number): Cell {
  const [high, low] = wordsOf(score);
  return {
    column: ((squash(high >>> 1) << 16) | squash(low >>> 1)) >>> 0,
    row: ((squash(high) << 16) | squash(low)) >>> 0,
    step: MAX_STEP,
  };
}

/** The edges of a cell. */
export function edgesOf({ column, row, step }: Cell): Edges {
  const side = 2 ** step;
  // A column is 32 bits wide in Redis: the one behind the last is the first.
  const nextColumn = (column + 1) >>> 0;
  const nextRow = (row + 1) >>> 0;
  return {
    west: -MAX_LONGITUDE + (column / side) * LONGITUDE_RANGE,
    east: -MAX_LONGITUDE + (nextColumn / side) * LONGITUDE_RANGE,
    south: -MAX_LATITUDE + (row / side) * LATITUDE_RANGE,
    north: -MAX_LATITUDE + (nextRow / side) * LATITUDE_RANGE,
  };
}

function clamp(value: number, limit: number): number {
  return Math.min(Math.max(value, -limit), limit);
}

/** The middle of the cell that a score stands for. */
export function positionOf(score: number): Position {
  const { west, east, south, north } = edgesOf(cellOfScore(score));
  return {
    longitude: clamp((west + east) / 2, MAX_LONGITUDE),
    latitude: clamp((south + north) / 2, MAX_LATITUDE),
  };
}

/** The cell some columns and rows further on; the grid goes around in both directions. */
export function neighbour({ column, row, step }: Cell, columns: number, rows: number): Cell {
  const mask = 2 ** step - 1;
  return {
    column: columns === 0 ? column : (column + columns) & mask,
    row: rows === 0 ? row : (row + rows) & mask,
    step,
  };
}

/** The standard geohash of a position, 11 letters of which the last means nothing. */
export function geohashOf({ longitude, latitude }: Position): string {
  const side = 2 ** MAX_STEP;
  const bits = interleave({
    column: Math.floor(((longitude + MAX_LONGITUDE) / LONGITUDE_RANGE) * side),
    row: Math.floor(((latitude + MAX_STANDARD_LATITUDE) / (2 * MAX_STANDARD_LATITUDE)) * side),
    step: MAX_STEP,
  });
  let text = '';
  for (let shift = GEOHASH_BITS - 5; shift >= 0; shift -= 5) {
    text += GEOHASH_LETTERS[Math.floor(bits / 2 ** shift) % 32];
  }
  return `${text}0`;
}
