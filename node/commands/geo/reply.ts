import { formatFixed, type RespWriter } from '../../../lib/codec/resp/index.ts';
import type { Position } from './position.ts';

const DECIMALS_OF_DISTANCE = 4;
const DECIMALS_OF_DEGREES = 17;

/** A distance with four decimals, rounded as C's llrint does: first scaled, then to the nearest whole number, ties to even. */
export function replyDistance(distance: number, reply: RespWriter): void {
  const scaled = distance * 10 ** DECIMALS_OF_DISTANCE;
  let whole = Math.round(scaled);
  if (whole - scaled === 0.5 && whole % 2 !== 0) whole--;
  const digits = String(whole).padStart(DECIMALS_OF_DISTANCE + 1, '0');
  const point = digits.length - DECIMALS_OF_DISTANCE;
  reply.bulkLatin1(`${digits.slice(0, point)}.${digits.slice(point)}`);
}

/** Longitude and latitude, with as many decimals as they need. */
export function replyPosition({ longitude, latitude }: Position, reply: RespWriter): void {
  reply.arrayHeader(2);
  reply.decimal(degreesText(longitude));
  reply.decimal(degreesText(latitude));
}

function degreesText(degrees: number): string {
  const text = formatFixed(degrees, DECIMALS_OF_DEGREES).replace(/\.?0+$/, '');
  return text === '-0' ? '0' : text;
}
