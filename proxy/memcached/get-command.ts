import { replyLineEnd, skipReply } from '../../lib/codec/resp/index.ts';
import { isErrorReply } from '../core/frames.ts';
import type { Request } from '../core/request.ts';
import type { ShardRoute } from '../core/topology.ts';
import { capability } from '../engine/capability.ts';
import { type Answer, BAD_FORMAT, ERROR, errorLine, LineAnswer, writeError } from './answer.ts';
import type { AnswerWriter } from './answer-writer.ts';
import type { MemcachedConnection } from './connection.ts';
import type { Counters } from './counters.ts';
import { ttlOf } from './expiry.ts';
import { isMiss, writeItem } from './item.ts';
import { keyOf, MAX_KEY_BYTES, type MemcachedKey, noRingAnswer } from './key.ts';
import type { Parts } from './parts.ts';
import { type MemcachedParser, signedNumber } from './protocol/index.ts';
import { touchFrame } from './touch-command.ts';

const END = 'END\r\n';
const NOTHING_FOUND = new LineAnswer('END');
const COMMAND_BYTES = 9;

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
    const parts = connection.split(nowMs, (made) => new ItemsAnswer(keys, made, null, withVersions));
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
  frames.begin(2, COMMAND_BYTES + end - start);
  frames.text(name);
  frames.bytes(buffer, start, end);
  connection.send(route, new ItemAnswer(key, withVersions), false, 1, nowMs);
}

/** Null when the engine of the shard cannot do it, and the client was told so. */
function commandFor(
  connection: MemcachedConnection,
  route: ShardRoute,
  withVersions: boolean,
): string | null {
  if (route.engine === 'ringside') return withVersions ? 'RS.MCGETS' : 'RS.MCGET';
  const refusal = withVersions ? capability(route, 'cas') : null;
  if (refusal === null) return 'MGET';
  connection.say(new LineAnswer(refusal.toMemcached()));
  return null;
}

/** One request for each shard. */
function getMany(connection: MemcachedConnection, keys: Keys, nowMs: number, withVersions: boolean): void {
  const { router } = connection.context;
  const groups = groupByShard(connection, keys);
  const names: string[] = [];
  for (const { route } of groups) {
    const name = commandFor(connection, route, withVersions);
    if (name === null) return;
    names.push(name);
  }
  const positions = groups.map((group) => group.positions);
  const parts = connection.split(nowMs, (made) => new ItemsAnswer(keys, made, positions, withVersions));
  groups.forEach(({ route, positions: own }, i) => {
    writeFrame(connection, keys, own, names[i]);
    parts.send(router, route, connection.context.frames, false, 0);
  });
  parts.seal();
}

interface Group {
  readonly route: ShardRoute;
  readonly positions: number[];
}

function groupByShard({ context }: MemcachedConnection, keys: Keys): Group[] {
  const groups: Group[] = [];
  const byIndex: (Group | undefined)[] = [];
  for (let i = 0; i < keys.count; i++) {
    const route = context.router.routeOf(keys.buffer, keys.start(i), keys.end(i));
    let group = byIndex[route.index];
    if (group === undefined) {
      group = { route, positions: [] };
      byIndex[route.index] = group;
      groups.push(group);
    }
    group.positions.push(i);
  }
  return groups;
}

function writeFrame(
  { context }: MemcachedConnection,
  keys: Keys,
  positions: readonly number[],
  name: string,
): void {
  const { frames } = context;
  let bytes = COMMAND_BYTES;
  for (const i of positions) bytes += keys.end(i) - keys.start(i);
  frames.begin(1 + positions.length, bytes);
  frames.text(name);
  for (const i of positions) frames.bytes(keys.buffer, keys.start(i), keys.end(i));
}

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

/**
 * The items found, in the order of the keys. `positions`: which keys each part is about, null: one each. A reply to a get is an array of
 * items, one to a touch is an item itself.
 */
class ItemsAnswer implements Answer {
  readonly parts: Parts;
  readonly #keys: Keys;
  readonly #positions: readonly (readonly number[])[] | null;
  readonly #withVersions: boolean;

  constructor(
    keys: Keys,
    parts: Parts,
    positions: readonly (readonly number[])[] | null,
    withVersions: boolean,
  ) {
    this.#keys = keys;
    this.parts = parts;
    this.#positions = positions;
    this.#withVersions = withVersions;
  }

  write(out: AnswerWriter, _command: Request, counters: Counters): void {
    const { requests } = this.parts;
    const places = new Int32Array(this.#keys.count);
    const sources = new Array<Request>(this.#keys.count);
    for (let part = 0; part < requests.length; part++) {
      const positions = this.#positions?.[part] ?? [part];
      const problem = this.#place(requests[part], positions, places);
      if (problem !== null) {
        out.error(problem);
        return;
      }
      for (const position of positions) sources[position] = requests[part];
    }
    for (let i = 0; i < places.length; i++) this.#writeItem(out, i, sources[i], places[i], counters);
    out.text(END);
  }

  /** Notes where the items of one reply are; the line to answer when it, or one of them, is an error. */
  #place(request: Request, positions: readonly number[], places: Int32Array): string | null {
    const { bytes, start, end } = request;
    if (isErrorReply(bytes, start)) return errorLine(bytes, start, end);
    let at = this.#positions === null ? start : replyLineEnd(bytes, start);
    for (let i = 0; i < positions.length; i++) {
      if (isErrorReply(bytes, at)) return errorLine(bytes, at, replyLineEnd(bytes, at));
      places[positions[i]] = at;
      // What is behind the last one may be in pieces.
      if (i < positions.length - 1) at = skipReply(bytes, at);
    }
    return null;
  }

  #writeItem(out: AnswerWriter, i: number, request: Request, at: number, counters: Counters): void {
    const isHit = !isMiss(request.bytes, at);
    const isTouch = this.#positions === null;
    counters[isTouch ? 'cmd_touch' : 'cmd_get']++;
    if (isTouch) counters[isHit ? 'touch_hits' : 'touch_misses']++;
    counters[isHit ? 'get_hits' : 'get_misses']++;
    if (!isHit) return;
    const { buffer } = this.#keys;
    const key = { buffer, start: this.#keys.start(i), end: this.#keys.end(i) };
    writeItem(out, key, request, at, this.#withVersions);
  }
}
