import { RingsideError } from '../../lib/base/index.ts';
import type { LargeFrame } from '../core/large-frame.ts';
import { acquireRequest } from '../core/request.ts';
import type { ShardRoute } from '../core/topology.ts';
import { capability } from '../engine/capability.ts';
import { type Answer, BAD_CHUNK, BAD_FORMAT, LineAnswer, SILENCE, TOO_LARGE } from './answer.ts';
import type { MemcachedConnection } from './connection.ts';
import { GONE, ttlOf } from './expiry.ts';
import { ARGUMENT_BYTES, type FrameSlab } from './frame-slab.ts';
import { keyOf, type MemcachedKey, noRingAnswer } from './key.ts';
import { parseMetaStore } from './meta-store.ts';
import { type MemcachedParser, signedNumber, unsigned32, unsigned64, wordIs } from './protocol/index.ts';
import { casAnswer, casAnswerQuiet, storeAnswer, storeAnswerQuiet } from './store-answer.ts';
import { ANY_VERSION, NO_VERSION } from './versions.ts';

/** How a value is stored: memcached's meta modes, and L, a set that may come late (`docs/protocol.md`, RS.MCSET). */
export type StoreMode = 'S' | 'E' | 'A' | 'P' | 'R' | 'L';

/** What a storage command wants, but for the value. */
export interface StoreOrder {
  readonly key: MemcachedKey;
  readonly mode: StoreMode;
  readonly flags: number;
  /** As `ttlOf` says. */
  readonly ttlMs: number;
  readonly version: string;
  /** Of the meta protocol: accesses are noted. */
  readonly isMeta: boolean;
  /** The answer tells the new version. */
  readonly wantsVersion: boolean;
  readonly answer: Answer;
  /** Of an error in the block. */
  readonly badChunk: Answer;
  readonly tooLarge: Answer;
}

/** A storage command whose value has not come whole. */
export interface PreparedStore {
  readonly order: StoreOrder;
  readonly route: ShardRoute;
  /** What has come of the value. */
  readonly head: Buffer;
  readonly valueBytes: number;
}

const textModes: Readonly<Record<string, StoreMode>> = {
  set: 'S',
  add: 'E',
  replace: 'R',
  append: 'A',
  prepend: 'P',
  cas: 'S',
};
const NO_ARGUMENTS: readonly string[] = [];

/** Runs a storage command of the text protocol, or `ms`, with its block. */
export function runStore(connection: MemcachedConnection, parser: MemcachedParser, nowMs: number) {
  const order = orderOf(connection, parser);
  if (order === null) return;
  const route = routeOf(connection, order);
  if (route === null) return;
  if (parser.isTooLong) return refuseLong(connection, order, route, nowMs);
  if (!parser.endsWell) return connection.say(order.badChunk);
  const { blockStart, blockBytes } = parser;
  const { frames, limits } = connection.context;
  const tail = tailOf(order, route, limits.maxItemBytes);
  beginFrame(frames, order, tail, blockBytes);
  frames.bytes(parser.buffer, blockStart, blockStart + blockBytes);
  for (const text of tail.arguments) frames.text(text);
  connection.send(route, order.answer, true, 1, nowMs);
}

/** Takes up a command of which a long block has come in part; null when it was answered, and the block is of no interest. */
export function prepareStore(connection: MemcachedConnection, parser: MemcachedParser): PreparedStore | null {
  const order = orderOf(connection, parser);
  if (order === null) return null;
  const route = routeOf(connection, order);
  if (route === null) return null;
  const head = parser.buffer.subarray(parser.blockStart, parser.frameEnd);
  return { order, route, head, valueBytes: parser.blockBytes };
}

/** Sends a prepared command whose rest has come. */
export function submitLarge(
  connection: MemcachedConnection,
  { order, route, head, valueBytes }: PreparedStore,
  large: LargeFrame,
  nowMs: number,
) {
  if (!large.endsWell) return connection.say(order.badChunk);
  const { frames, limits } = connection.context;
  const tail = tailOf(order, route, limits.maxItemBytes);
  beginFrame(frames, order, tail, 0);
  frames.openArgument(valueBytes);
  const request = acquireRequest();
  request.bytes = frames.buffer;
  request.start = frames.start;
  request.end = frames.end;
  const rest = [head, ...large.pieces];
  let restBytes = head.length + large.bytes;
  if (tail.arguments.length > 0) {
    frames.beginTail(tail.arguments.length, tail.bytes);
    for (const text of tail.arguments) frames.text(text);
    rest.push(frames.buffer.subarray(frames.start, frames.end));
    restBytes += frames.end - frames.start;
  }
  request.rest = rest;
  request.restBytes = restBytes;
  request.ownsRest = true;
  request.isWrite = true;
  request.keyIndex = 1;
  request.startedMs = nowMs;
  connection.submit(request, route, order.answer);
}

/** What the line asks for; null when it was answered. */
function orderOf(connection: MemcachedConnection, parser: MemcachedParser): StoreOrder | null {
  const order = wordIs(parser, 0, 'ms')
    ? parseMetaStore(connection, parser)
    : parseTextStore(connection, parser);
  if ('mode' in order) return order;
  connection.say(order);
  return null;
}

function parseTextStore({ context }: MemcachedConnection, parser: MemcachedParser): StoreOrder | Answer {
  const { buffer, count } = parser;
  const isQuiet = wordIs(parser, count - 1, 'noreply');
  const key = keyOf(parser, 1);
  const flags = unsigned32(buffer, parser.start(2), parser.end(2));
  const exptime = signedNumber(buffer, parser.start(3), parser.end(3));
  const isCas = wordIs(parser, 0, 'cas');
  const cas = isCas ? unsigned64(buffer, parser.start(5), parser.end(5)) : ANY_VERSION;
  if (key === null || flags === null || exptime === null || cas === null || parser.blockBytes < 0)
    return isQuiet ? SILENCE : BAD_FORMAT;
  const mode = textModes[buffer.latin1Slice(parser.start(0), parser.end(0))];
  const answers = isCas ? [casAnswer, casAnswerQuiet] : [storeAnswer, storeAnswerQuiet];
  return {
    key,
    mode,
    flags,
    ttlMs: ttlOf(exptime, context.router.env.clock.wallMs()),
    version: isCas && cas === ANY_VERSION ? NO_VERSION : cas,
    isMeta: false,
    wantsVersion: false,
    answer: answers[isQuiet ? 1 : 0],
    badChunk: isQuiet ? SILENCE : BAD_CHUNK,
    tooLarge: isQuiet ? SILENCE : TOO_LARGE,
  };
}

/** Null when the command was answered: there is no ring, or the engine of the shard cannot do it. */
function routeOf(connection: MemcachedConnection, order: StoreOrder): ShardRoute | null {
  const { router } = connection.context;
  const { key } = order;
  if (router.routes.length === 0) {
    connection.say(noRingAnswer());
    return null;
  }
  const route = router.routeOf(key.buffer, key.start, key.end);
  const refusal = route.engine === 'ringside' ? null : refusalOf(order, route);
  if (refusal === null) return route;
  connection.say(new LineAnswer(refusal.toMemcached()));
  return null;
}

function refusalOf(
  { mode, flags, version, wantsVersion }: StoreOrder,
  route: ShardRoute,
): RingsideError | null {
  if (version !== ANY_VERSION || wantsVersion) return capability(route, 'cas');
  if (flags !== 0) return capability(route, 'flags');
  if (mode !== 'A' && mode !== 'P') return null;
  return new RingsideError('not_implemented', `append and prepend: not supported by engine ${route.engine}`);
}

/** memcached drops what it held: nobody may take an old value for the new one that did not fit. */
function refuseLong(
  connection: MemcachedConnection,
  { key, mode, tooLarge }: StoreOrder,
  route: ShardRoute,
  nowMs: number,
) {
  const { frames, counters } = connection.context;
  counters.store_too_large++;
  if (mode !== 'S') return connection.say(tooLarge);
  frames.begin(2, key.end - key.start);
  frames.text('DEL');
  frames.bytes(key.buffer, key.start, key.end);
  connection.send(route, tooLarge, true, 1, nowMs);
}

interface Tail {
  readonly name: string;
  /** Behind the value. */
  readonly arguments: readonly string[];
  readonly bytes: number;
}

const PLAIN_SET: Tail = { name: 'SET', arguments: NO_ARGUMENTS, bytes: 0 };

/** The command for the node. What any engine can do goes as Redis's own. */
function tailOf(order: StoreOrder, { engine }: ShardRoute, maxItemBytes: number): Tail {
  const { mode, flags, ttlMs, version, isMeta } = order;
  const isPlain = mode === 'S' && flags === 0 && version === ANY_VERSION && ttlMs !== GONE && !isMeta;
  if (isPlain && ttlMs === 0) return PLAIN_SET;
  if (!isPlain && engine === 'ringside') {
    const words = [mode, String(flags), String(ttlMs), version, String(maxItemBytes)];
    return { name: 'RS.MCSET', arguments: words, bytes: bytesOf(words) };
  }
  const words = ttlMs === 0 ? [] : ['PX', String(ttlMs === GONE ? 1 : ttlMs)];
  if (mode === 'E') words.push('NX');
  if (mode === 'R') words.push('XX');
  return { name: 'SET', arguments: words, bytes: bytesOf(words) };
}

function bytesOf(words: readonly string[]): number {
  return words.reduce((sum, { length }) => sum + length, 0);
}

/** Name and key of the frame; the value follows, and then the tail. */
function beginFrame(frames: FrameSlab, { key }: StoreOrder, tail: Tail, valueBytes: number): void {
  frames.begin(3 + tail.arguments.length, ARGUMENT_BYTES + key.end - key.start + valueBytes + tail.bytes);
  frames.text(tail.name);
  frames.bytes(key.buffer, key.start, key.end);
}
