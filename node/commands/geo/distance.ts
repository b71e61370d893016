import { arcSine, cosine, sine } from './exact-trigonometry.ts';
import type { Position } from './position.ts';

/** The mean radius of the earth that Redis reckons with, metres. */
export const EARTH_RADIUS_M = 6372797.560856;
const RADIANS_PER_DEGREE = Math.PI / 180;

/** The functions that a distance is made of. */
interface Trigonometry {
  sin(angle: number): number;
  cos(angle: number): number;
  asin(value: number): number;
}

const exact: Trigonometry = { sin: sine, cos: cosine, asin: arcSine };

export function radians(degrees: number): number {
  return degrees * RADIANS_PER_DEGREE;
}

export function degrees(angle: number): number {
  return angle / RADIANS_PER_DEGREE;
}

/** The distance of two latitudes, metres. */
export function latitudeDistance(a: number, b: number): number {
  return EARTH_RADIUS_M * Math.abs(radians(b) - radians(a));
}

/** The great-circle distance of two positions by the haversine formula, metres, to within a few last bits. */
export function distance(a: Position, b: Position): number {
  return haversine(a, b, Math);
}

/** The same to the last bit, many times slower. */
export function exactDistance(a: Position, b: Position): number {
  return haversine(a, b, exact);
}

function haversine(a: Position, b: Position, { sin, cos, asin }: Trigonometry): number {
  const v = sin((radians(b.longitude) - radians(a.longitude)) / 2);
  if (v === 0) return latitudeDistance(a.latitude, b.latitude);
  const from = radians(a.latitude);
  const to = radians(b.latitude);
  const u = sin((to - from) / 2);
  return 2 * EARTH_RADIUS_M * asin(Math.sqrt(u * u + cos(from) * cos(to) * v * v));
}
