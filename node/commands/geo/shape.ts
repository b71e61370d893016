import { type Args, formatFixed } from '../../../lib/codec/resp/index.ts';
import { NOT_A_FLOAT, parseScore } from '../strtod.ts';
import type { Area } from './area.ts';
import { MAX_LATITUDE, MAX_LONGITUDE, type Position } from './position.ts';

export const NO_SUCH_UNIT = 'ERR unsupported unit provided. please use M, KM, FT, MI';

const units: readonly (readonly [string, number])[] = [
  ['M', 1],
  ['KM', 1000],
  ['FT', 0.3048],
  ['MI', 1609.34],
];

/** An area without its centre, and the unit it was given in. */
export interface Shape {
  readonly kind: 'circle' | 'box';
  /** Radius, or width, in the unit. */
  readonly across: number;
  readonly height: number;
  readonly metresPerUnit: number;
}

/** Metres per unit of the one that argument `i` names; null for none. */
export function parseUnit(args: Args, i: number): number | null {
  for (const [name, metres] of units) if (args.equalsIgnoreCase(i, name)) return metres;
  return null;
}

/** The longitude and latitude at argument `i` and behind it; the text of an error when they are none. */
export function parsePosition(args: Args, i: number): Position | string {
  const longitude = parseScore(args, i);
  const latitude = longitude === null ? null : parseScore(args, i + 1);
  if (longitude === null || latitude === null) return NOT_A_FLOAT;
  if (Math.abs(longitude) > MAX_LONGITUDE || Math.abs(latitude) > MAX_LATITUDE) {
    const [x, y] = [formatFixed(longitude, 6), formatFixed(latitude, 6)];
    return `ERR invalid longitude,latitude pair ${x},${y}`;
  }
  return { longitude, latitude };
}

/** `radius unit` at argument `i`; the text of an error when it is none. */
export function parseCircle(args: Args, i: number): Shape | string {
  const across = parseScore(args, i);
  if (across === null) return 'ERR need numeric radius';
  if (across < 0) return 'ERR radius cannot be negative';
  const metresPerUnit = parseUnit(args, i + 1);
  if (metresPerUnit === null) return NO_SUCH_UNIT;
  return { kind: 'circle', across, height: 0, metresPerUnit };
}

/** `width height unit` at argument `i`; the text of an error when it is none. */
export function parseBox(args: Args, i: number): Shape | string {
  const across = parseScore(args, i);
  if (across === null) return 'ERR need numeric width';
  const height = parseScore(args, i + 1);
  if (height === null) return 'ERR need numeric height';
  if (across < 0 || height < 0) return 'ERR height or width cannot be negative';
  const metresPerUnit = parseUnit(args, i + 2);
  if (metresPerUnit === null) return NO_SUCH_UNIT;
  return { kind: 'box', across, height, metresPerUnit };
}

/** The area that was asked for, around its centre. */
export function areaOf(centre: Position, { kind, across, height, metresPerUnit }: Shape): Area {
  if (kind === 'circle') return { kind, centre, radiusM: across * metresPerUnit };
  return { kind, centre, widthM: across * metresPerUnit, heightM: height * metresPerUnit };
}
