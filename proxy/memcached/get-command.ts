import { replyLineEnd, skipReply } from '../../lib/codec/resp/index.ts';
import { isErrorReply } from '../core/frames.ts';
import { acquireSplit } from '../core/key-split.ts';
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
import { type ItemSource, isMiss, writeItem } from './item.ts';
import { ItemKeys } from './item-keys.ts';
import { keyOf, MAX_KEY_BYTES, type MemcachedKey, noRingAnswer } from './key.ts';
import type { Parts } from './parts.ts';
import { type MemcachedParser, signedNumber } from './protocol/index.ts';
import { frameOfOne, type ReadName, readNameOf } from './read-frame.ts';
import { touchFrame } from './touch-command.ts';

const END = 'END\r\n';
const NOTHING_FOUND = new LineAnswer('END');

/** `get` and `gets`. */
export function runGet(
  connection: MemcachedConnection,
  parser: MemcachedParser,
  nowMs: number,
  withVersions: boolean,
) {
  if (parser.count < 2) return connection.say(ERROR);
  if (parser.count === 2) {
    const key = keyOf(parser, 1);
    return key === null ? connection.say(BAD_FORMAT) : getOne(connection, key, nowMs, withVersions);
  }
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
function haveVersions(connection: MemcachedConnection, keys: ItemKeys): boolean {
  const { router } = connection.context;
  for (let i = 0; i < keys.count; i++) {
    const refusal = capability(router.routeOf(keys.buffer, keys.start(i), keys.end(i)), 'cas');
    if (refusal === null) continue;
    connection.say(new LineAnswer(refusal.toMemcached()));
    return false;
  }
  return true;
}

/** Null when the command was answered: a key is too long, or there are too many, or there is no ring. */
function keysOf(connection: MemcachedConnection, parser: MemcachedParser, first: number): ItemKeys | null {
  const { router, limits } = connection.context;
  let problem: Answer | null = null;
  for (let i = first; i < parser.count; i++)
    if (parser.end(i) - parser.start(i) > MAX_KEY_BYTES) problem = BAD_FORMAT;
  if (parser.count - first > limits.maxKeys)
    problem = new LineAnswer(`SERVER_ERROR more than ${limits.maxKeys} keys (proxy.limits.maxArrayLength)`);
  if (router.routes.length === 0) problem ??= noRingAnswer();
  if (problem === null) return ItemKeys.from(parser, first);
  connection.say(problem);
  return null;
}

/** Asks for one item. `key` lies in memory that nobody changes. */
export function getOne(
  connection: MemcachedConnection,
  key: MemcachedKey,
  nowMs: number,
  withVersions: boolean,
) {
  const { router, frames } = connection.context;
  if (router.routes.length === 0) return connection.say(noRingAnswer());
  const route = router.routeOf(key.buffer, key.start, key.end);
  const name = commandFor(connection, route, withVersions);
  if (name === null) return;
  frameOfOne(frames, name, key);
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

/** One request for each shard, or several one after the other where much is asked for. */
function getMany(
  connection: MemcachedConnection,
  keys: ItemKeys,
  nowMs: number,
  withVersions: boolean,
): void {
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
    if (writeError(out, request)) return;
    const at = replyLineEnd(request.bytes, request.start);
    writeFound(out, this.#key, request, at, counters, this.#withVersions);
  }
}

/** Writes the answer for one key, of what lies at `at` of a reply: an item, that there is none, or an error. Returns where that ends. */
export function writeFound(
  out: AnswerWriter,
  key: MemcachedKey,
  source: ItemSource,
  at: number,
  counters: Counters,
  withVersions = false,
): number {
  const { bytes } = source;
  const isError = isErrorReply(bytes, at);
  if (isError || isMiss(bytes, at)) {
    const end = replyLineEnd(bytes, at);
    if (isError) out.error(errorLine(bytes, at, end));
    else {
      counters.cmd_get++;
      counters.get_misses++;
      out.text(END);
    }
    return end;
  }
  counters.cmd_get++;
  counters.get_hits++;
  const end = writeItem(out, key, source, at, withVersions);
  out.text(END);
  return end;
}

/** The items found, in the order of the keys, of a reply that is an array of items. */
class ItemsAnswer implements Answer {
  readonly parts = null;
  readonly #keys: ItemKeys;
  readonly #withVersions: boolean;

  constructor(keys: ItemKeys, withVersions: boolean) {
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
export function sourcesOf({ bytes, start, end, rest }: Request): ItemSource[] | null {
  if (rest === null || replyLineEnd(bytes, start) < end) return null;
  return rest.map((piece) => ({ bytes: piece, end: piece.length, rest: null }));
}

/** The items that were touched, in the order of the keys: each part is about one, and is answered by the item. */
class TouchedItemsAnswer implements Answer {
  readonly parts: Parts;
  readonly #keys: ItemKeys;
  readonly #withVersions: boolean;

  constructor(keys: ItemKeys, parts: Parts, withVersions: boolean) {
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
