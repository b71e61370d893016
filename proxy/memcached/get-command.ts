import { replyLineEnd, skipReply } from '../../lib/codec/resp/index.ts';
import { isErrorReply } from '../core/frames.ts';
import { acquireSplit, type KeyArgs } from '../core/key-split.ts';
import { type MergeKeys, mergeValues } from '../core/merge-keys.ts';
import type { Request } from '../core/request.ts';
import { sendSplit } from '../core/send-split.ts';
import type { ShardRoute } from '../core/topology.ts';
import { capability } from '../engine/capability.ts';
import { type Answer, BAD_FORMAT, ERROR, errorLine, LineAnswer, writeError } from './answer.ts';
import type { AnswerWriter } from './answer-writer.ts';
import type { MemcachedConnection } from './connection.ts';
import type { Counters } from './counters.ts';
import { ttlOf } from './expiry.ts';
import { ARGUMENT_BYTES, type FrameSlab } from './frame-slab.ts';
import { type ItemSource, isMiss, writeItem } from './item.ts';
import { keyOf, MAX_KEY_BYTES, type MemcachedKey, noRingAnswer } from './key.ts';
import type { Parts } from './parts.ts';
import { type MemcachedParser, signedNumber } from './protocol/index.ts';
import { touchFrame } from './touch-command.ts';

const END = 'END\r\n';
const NOTHING_FOUND = new LineAnswer('END');
const LINE_END_BYTES = 2;

/** What nodes are asked by. */
type ReadName = 'RS.MCGET' | 'RS.MCGETS' | 'MGET';
/** How a command for one key begins. */
const headsOfOne: Readonly<Record<ReadName, Buffer>> = {
  'RS.MCGET': Buffer.from('*2\r\n$8\r\nRS.MCGET\r\n'),
  'RS.MCGETS': Buffer.from('*2\r\n$9\r\nRS.MCGETS\r\n'),
  MGET: Buffer.from('*2\r\n$4\r\nMGET\r\n'),
};

/** `get` and `gets`. */
export function runGet(
  connection: MemcachedConnection,
  parser: MemcachedParser,
  nowMs: number,
  withVersions: boolean,
) {
  if (parser.count < 2) return connection.say(ERROR);
  if (parser.count === 2) return getOne(connection, parser, nowMs, withVersions);
  const keys = keysOf(connection, parser, 1);
  if (keys === null) return;
  connection.inOrder(() => getMany(connection, keys, nowMs, withVersions));
}

/** `gat` and `gats`: each key is a write of its own. */
export function runGetAndTouch(
  connection: MemcachedConnection,
  parser: MemcachedParser,
  nowMs: number,
  withVersions: boolean,
) {
  if (parser.count < 2) return connection.say(ERROR);
  const exptime = signedNumber(parser.buffer, parser.start(1), parser.end(1));
  if (exptime === null) return connection.say(new LineAnswer('CLIENT_ERROR invalid exptime argument'));
  if (parser.count < 3) return connection.say(NOTHING_FOUND);
  const keys = keysOf(connection, parser, 2);
  if (keys === null || (withVersions && !haveVersions(connection, keys))) return;
  const { router, frames } = connection.context;
  const ttlMs = ttlOf(exptime, router.env.clock.wallMs());
  connection.inOrder(() => {
    const parts = connection.split(nowMs, (made) => new TouchedItemsAnswer(keys, made, withVersions));
    for (let i = 0; i < keys.count; i++) {
      const route = router.routeOf(keys.buffer, keys.start(i), keys.end(i));
      touchFrame(frames, route, { buffer: keys.buffer, start: keys.start(i), end: keys.end(i) }, ttlMs, true);
      parts.send(router, route, frames, true, 1);
    }
    parts.seal();
  });
}

/** Whether the engine of every key's shard has versions; else the client is told so. */
function haveVersions(connection: MemcachedConnection, keys: Keys): boolean {
  const { router } = connection.context;
  for (let i = 0; i < keys.count; i++) {
    const refusal = capability(router.routeOf(keys.buffer, keys.start(i), keys.end(i)), 'cas');
    if (refusal === null) continue;
    connection.say(new LineAnswer(refusal.toMemcached()));
    return false;
  }
  return true;
}

/** Keys of one command. The parser's words are gone by the time of the answer; the bytes stay. */
class Keys {
  readonly buffer: Buffer;
  readonly count: number;
  readonly #offsets: Int32Array;

  constructor(parser: MemcachedParser, first: number) {
    this.buffer = parser.buffer;
    this.count = parser.count - first;
    this.#offsets = new Int32Array(2 * this.count);
    for (let i = 0; i < this.count; i++) {
      this.#offsets[2 * i] = parser.start(first + i);
      this.#offsets[2 * i + 1] = parser.end(first + i);
    }
  }

  start(i: number): number {
    return this.#offsets[2 * i];
  }

  end(i: number): number {
    return this.#offsets[2 * i + 1];
  }

  at(i: number): MemcachedKey {
    return { buffer: this.buffer, start: this.start(i), end: this.end(i) };
  }

  /** The frame in `frames` becomes the command of this name on all of them; its arguments. */
  encode(frames: FrameSlab, name: ReadName): KeyArgs {
    let bytes = name.length;
    for (let i = 0; i < this.count; i++) bytes += this.end(i) - this.start(i);
    frames.begin(1 + this.count, bytes);
    frames.text(name);
    const ends = new Int32Array(1 + this.count);
    ends[0] = frames.end - LINE_END_BYTES;
    for (let i = 0; i < this.count; i++) {
      frames.bytes(this.buffer, this.start(i), this.end(i));
      ends[i + 1] = frames.end - LINE_END_BYTES;
    }
    const lengthOf = (i: number) => (i === 0 ? name.length : this.end(i - 1) - this.start(i - 1));
    return {
      ...{ buffer: frames.buffer, count: ends.length },
      start: (i) => ends[i] - lengthOf(i),
      end: (i) => ends[i],
    };
  }
}

/** Null when the command was answered: a key is too long, or there are too many, or there is no ring. */
function keysOf(connection: MemcachedConnection, parser: MemcachedParser, first: number): Keys | null {
  const { router, limits } = connection.context;
  let problem: Answer | null = null;
  for (let i = first; i < parser.count; i++)
    if (parser.end(i) - parser.start(i) > MAX_KEY_BYTES) problem = BAD_FORMAT;
  if (parser.count - first > limits.maxKeys)
    problem = new LineAnswer(`SERVER_ERROR more than ${limits.maxKeys} keys (proxy.limits.maxArrayLength)`);
  if (router.routes.length === 0) problem ??= noRingAnswer();
  if (problem === null) return new Keys(parser, first);
  connection.say(problem);
  return null;
}

function getOne(
  connection: MemcachedConnection,
  parser: MemcachedParser,
  nowMs: number,
  withVersions: boolean,
) {
  const { router, frames } = connection.context;
  const key = keyOf(parser, 1);
  if (key === null) return connection.say(BAD_FORMAT);
  if (router.routes.length === 0) return connection.say(noRingAnswer());
  const { buffer, start, end } = key;
  const route = router.routeOf(buffer, start, end);
  const name = commandFor(connection, route, withVersions);
  if (name === null) return;
  frames.beginWith(headsOfOne[name], ARGUMENT_BYTES + end - start);
  frames.bytes(buffer, start, end);
  connection.send(route, new ItemAnswer(key, withVersions), false, 1, nowMs);
}

/** Null when the engine of the shard cannot do it, and the client was told so. */
function commandFor(
  connection: MemcachedConnection,
  route: ShardRoute,
  withVersions: boolean,
): ReadName | null {
  const refusal = withVersions ? capability(route, 'cas') : null;
  if (refusal === null) return readNameOf(route, withVersions);
  connection.say(new LineAnswer(refusal.toMemcached()));
  return null;
}

function readNameOf({ engine }: ShardRoute, withVersions: boolean): ReadName {
  if (engine !== 'ringside') return 'MGET';
  return withVersions ? 'RS.MCGETS' : 'RS.MCGET';
}

/** One request for each shard, or several one after the other where much is asked for. */
function getMany(connection: MemcachedConnection, keys: Keys, nowMs: number, withVersions: boolean): void {
  if (withVersions && !haveVersions(connection, keys)) return;
  const { router, frames } = connection.context;
  const nameFor = (route: ShardRoute) => readNameOf(route, withVersions);
  const first = router.routeOf(keys.buffer, keys.start(0), keys.end(0));
  const args = keys.encode(frames, nameFor(first));
  const split = acquireSplit();
  const kept = router.near?.keptFor(withVersions ? 'RS.MCGETS' : 'RS.MCGET', 2, nowMs) ?? null;
  split.sort(router, args, 1, 1, { window: router.env.health.fanOut, kept });
  const answer = new ItemsAnswer(keys, withVersions);
  if (split.goesWhole) {
    split.release();
    connection.send(first, answer, false, 0, nowMs);
    return;
  }
  split.encode(args, 1, 1, nameFor);
  const { hasLater } = split;
  sendSplit(router, split, connection.placeholder(answer, nowMs), false, mergeItems, nameFor(first));
  if (hasLater) connection.holdLater();
}

/** The items in the order of the keys, or what the first part says that failed. */
const mergeItems: MergeKeys = (split, parts, command, name) => {
  const failed = parts.find(({ reply }) => isErrorReply(reply.bytes, reply.start));
  if (failed === undefined) {
    mergeValues(split, parts, command, name);
    return;
  }
  const { bytes, start, end } = failed.reply;
  command.answerWith(Buffer.from(bytes.subarray(start, end)));
};

/** The item, if there is one. */
class ItemAnswer implements Answer {
  readonly parts = null;
  readonly #key: MemcachedKey;
  readonly #withVersions: boolean;

  constructor(key: MemcachedKey, withVersions: boolean) {
    this.#key = key;
    this.#withVersions = withVersions;
  }

  write(out: AnswerWriter, request: Request, counters: Counters): void {
    const { bytes, start, end } = request;
    if (writeError(out, request)) return;
    const at = replyLineEnd(bytes, start);
    if (isErrorReply(bytes, at)) {
      out.error(errorLine(bytes, at, end));
      return;
    }
    counters.cmd_get++;
    if (isMiss(bytes, at)) counters.get_misses++;
    else {
      counters.get_hits++;
      writeItem(out, this.#key, request, at, this.#withVersions);
    }
    out.text(END);
  }
}

/** The items found, in the order of the keys, of a reply that is an array of items. */
class ItemsAnswer implements Answer {
  readonly parts = null;
  readonly #keys: Keys;
  readonly #withVersions: boolean;

  constructor(keys: Keys, withVersions: boolean) {
    this.#keys = keys;
    this.#withVersions = withVersions;
  }

  write(out: AnswerWriter, request: Request, counters: Counters): void {
    if (writeError(out, request)) return;
    const sources = sourcesOf(request);
    const places = new Int32Array(this.#keys.count);
    const problem = this.#place(request, sources, places);
    if (problem !== null) {
      out.error(problem);
      return;
    }
    for (let i = 0; i < places.length; i++) {
      const source = sources?.[i] ?? request;
      const isHit = !isMiss(source.bytes, places[i]);
      counters.cmd_get++;
      counters[isHit ? 'get_hits' : 'get_misses']++;
      if (isHit) writeItem(out, this.#keys.at(i), source, places[i], this.#withVersions);
    }
    out.text(END);
  }

  /** Notes where each item is in what it lies in; the line to answer when one is an error. */
  #place(request: Request, sources: readonly ItemSource[] | null, places: Int32Array): string | null {
    let at = replyLineEnd(request.bytes, request.start);
    for (let i = 0; i < places.length; i++) {
      if (sources !== null) at = 0;
      const { bytes } = sources?.[i] ?? request;
      if (isErrorReply(bytes, at)) return errorLine(bytes, at, replyLineEnd(bytes, at));
      places[i] = at;
      // What is behind the last one may be in pieces.
      if (sources === null && i < places.length - 1) at = skipReply(bytes, at);
    }
    return null;
  }
}

/** Long values of several shards are passed on as they lie, each item a piece of its own; null: the items lie in the reply one behind the other. */
function sourcesOf({ bytes, start, end, rest }: Request): ItemSource[] | null {
  if (rest === null || replyLineEnd(bytes, start) < end) return null;
  return rest.map((piece) => ({ bytes: piece, end: piece.length, rest: null }));
}

/** The items that were touched, in the order of the keys: each part is about one, and is answered by the item. */
class TouchedItemsAnswer implements Answer {
  readonly parts: Parts;
  readonly #keys: Keys;
  readonly #withVersions: boolean;

  constructor(keys: Keys, parts: Parts, withVersions: boolean) {
    this.#keys = keys;
    this.parts = parts;
    this.#withVersions = withVersions;
  }

  write(out: AnswerWriter, _command: Request, counters: Counters): void {
    const { requests } = this.parts;
    for (const request of requests) if (writeError(out, request)) return;
    for (const [i, request] of requests.entries()) {
      const isHit = !isMiss(request.bytes, request.start);
      counters.cmd_touch++;
      counters[isHit ? 'touch_hits' : 'touch_misses']++;
      counters[isHit ? 'get_hits' : 'get_misses']++;
      if (isHit) writeItem(out, this.#keys.at(i), request, request.start, this.#withVersions);
    }
    out.text(END);
  }
}
