import { replyLineEnd, skipReply } from '../../lib/codec/resp/index.ts';
import { isErrorReply } from '../core/frames.ts';
import { type AnsweredPart, Gather } from '../core/gather.ts';
import { acquireSplit, type KeySplit } from '../core/key-split.ts';
import { mergeValues } from '../core/merge-keys.ts';
import { discard, type Request } from '../core/request.ts';
import type { Router } from '../core/router.ts';
import { type Answer, writeError } from './answer.ts';
import type { AnswerWriter } from './answer-writer.ts';
import type { MemcachedConnection } from './connection.ts';
import type { Counters } from './counters.ts';
import type { FrameSlab } from './frame-slab.ts';
import { getOne, sourcesOf, writeFound } from './get-command.ts';
import { ItemKeys } from './item-keys.ts';
import { MAX_KEY_BYTES } from './key.ts';
import type { MemcachedParser } from './protocol/index.ts';
import { frameOfOne, readNameOf } from './read-frame.ts';

/** Keys asked for together at most: more gain little, and all wait for the last. */
const MOST_KEYS = 16;
/** Fewer cost more together than apart. */
const FEWEST_KEYS = 3;
/** A client whose answers are longer than this on average has them one by one, each as soon as it is there. */
const MOST_BYTES_PER_KEY = 4096;
const GET = Buffer.from('get');
const [LETTER_G, LETTER_E, LETTER_T] = GET;

/**
 * `get`s of one key each that a client sends one behind the other: the nodes are asked for them together, one request for each shard, and the client
 * is answered as if they had been asked for apart. So only where nothing tells one key from another; what fails together is tried apart.
 *
 * One instance serves all clients of a thread: `takes`, `takes`, …, `send` within one function.
 */
export class JoinedGets {
  readonly #router: Router;
  readonly #frames: FrameSlab;
  #buffer: Buffer = GET;
  /** Start and end of each key in `#buffer`. */
  readonly #ranges: number[] = [];
  #count = 0;

  constructor(router: Router, frames: FrameSlab) {
    this.#router = router;
    this.#frames = frames;
  }

  /** Commands that were taken and not sent. */
  get count(): number {
    return this.#count;
  }

  /** Whether `get`s of this client may go together now. `usualBytes`: of its answers lately; 0 before there was any. */
  mayJoin(connection: MemcachedConnection, usualBytes: number): boolean {
    if (usualBytes === 0 || usualBytes > MOST_BYTES_PER_KEY) return false;
    const router = this.#router;
    const { rates, settings } = router.env;
    if (!router.isPlain || rates !== null || !settings.namespaces.neverRestricts) return false;
    return connection.isAuthenticated && connection.user.isUnlimited && router.routes.length > 0;
  }

  /** Takes the command in `parser`, to be sent with others, if it is a `get` of one key. */
  takes(connection: MemcachedConnection, parser: MemcachedParser, nowMs: number): boolean {
    if (parser.count !== 2 || !isGet(parser)) return false;
    const start = parser.start(1);
    const end = parser.end(1);
    if (end - start > MAX_KEY_BYTES) return false;
    if (this.#count === MOST_KEYS || parser.buffer !== this.#buffer) this.send(connection, nowMs);
    this.#buffer = parser.buffer;
    this.#ranges[2 * this.#count] = start;
    this.#ranges[2 * this.#count + 1] = end;
    this.#count++;
    return true;
  }

  /** Sends what was taken. */
  send(connection: MemcachedConnection, nowMs: number): void {
    const count = this.#count;
    if (count === 0) return;
    this.#count = 0;
    connection.commandId = 0;
    if (count >= FEWEST_KEYS && this.#sendTogether(connection, count, nowMs)) return;
    const ranges = this.#ranges;
    for (let i = 0; i < 2 * count; i += 2) {
      const key = { buffer: this.#buffer, start: ranges[i], end: ranges[i + 1] };
      getOne(connection, key, nowMs, false);
    }
  }

  /** False when they have to go apart. */
  #sendTogether(connection: MemcachedConnection, count: number, nowMs: number): boolean {
    const router = this.#router;
    const frames = this.#frames;
    // Later commands must not overtake those that wait for the ring.
    if (router.hasParked(connection)) return false;
    const keys = new ItemKeys(this.#buffer, this.#ranges.slice(0, 2 * count));
    const first = router.routeOf(keys.buffer, keys.start(0), keys.end(0));
    const args = keys.encode(frames, readNameOf(first, false));
    const split = acquireSplit();
    split.sort(router, args, 1, 1);
    if (!split.routes.every((route) => router.hasRoom(route, 2, count))) {
      split.release();
      return false;
    }
    const command = connection.placeholder(new JoinedAnswer(keys), nowMs, count);
    const gather = new Gather(command, (parts) => {
      if (parts.some(isFailed)) this.#answerApart(keys, split, parts, command);
      else answerTogether(split, parts, command);
      split.release();
    });
    if (split.goesWhole)
      gather.sendRange(router, first, frames.buffer, frames.start, frames.end, false, count);
    else {
      split.encode(args, 1, 1, (route) => readNameOf(route, false));
      for (const [i, route] of split.routes.entries())
        gather.sendRange(router, route, split.bytes, split.starts[i], split.ends[i], false, split.counts[i]);
    }
    gather.seal();
    return true;
  }

  /** What came of the keys of a part that failed together may not come of each: while there is time, they are asked for again, apart. */
  #answerApart(keys: ItemKeys, split: KeySplit, parts: readonly AnsweredPart[], command: Request): void {
    const elements = elementsOf(split, parts);
    const { clock, settings } = this.#router.env;
    const isLate = clock.monotonicMs() - command.startedMs > settings.operationTimeoutMs / 2;
    if (isLate || command.sink === discard) {
      command.answerWith(arrayOf(elements));
      return;
    }
    const failed = Array.from(elements.keys()).filter((i) => isErrorReply(elements[i], 0));
    const again = Gather.merging(
      command,
      (answers) => {
        for (const [n, answer] of answers.entries()) elements[failed[n]] = elementOf(answer);
        return arrayOf(elements);
      },
      { keyIndex: 1 },
    );
    const frames = this.#frames;
    for (const i of failed) {
      const route = this.#router.routeOf(keys.buffer, keys.start(i), keys.end(i));
      frameOfOne(frames, readNameOf(route, false), keys.at(i));
      again.sendRange(this.#router, route, frames.buffer, frames.start, frames.end, false);
    }
    again.seal();
  }
}

function isGet(parser: MemcachedParser): boolean {
  const at = parser.start(0);
  const { buffer } = parser;
  if (parser.end(0) - at !== GET.length) return false;
  return buffer[at] === LETTER_G && buffer[at + 1] === LETTER_E && buffer[at + 2] === LETTER_T;
}

function isFailed({ reply }: AnsweredPart): boolean {
  return isErrorReply(reply.bytes, reply.start);
}

function answerTogether(split: KeySplit, parts: readonly AnsweredPart[], command: Request): void {
  const [{ reply }] = parts;
  if (parts.length > 1) mergeValues(split, parts, command, 'RS.MCGET');
  else command.answer(reply.bytes, reply.start, reply.end);
}

/** What the replies say of each key, in the order of the keys; of those of a part that failed, its error. */
function elementsOf({ owners, keyCount }: KeySplit, parts: readonly AnsweredPart[]): Buffer[] {
  const cursors = parts.map(({ reply }) => replyLineEnd(reply.bytes, reply.start));
  return Array.from({ length: keyCount }, (_, i) => {
    const part = parts[owners[i]];
    const { bytes, start, end } = part.reply;
    if (isFailed(part)) return bytes.subarray(start, end);
    const from = cursors[owners[i]];
    cursors[owners[i]] = skipReply(bytes, from);
    return bytes.subarray(from, cursors[owners[i]]);
  });
}

/** What a reply says of its one key, or the error that it is. */
function elementOf({ reply: { bytes, start, end } }: AnsweredPart): Buffer {
  return bytes.subarray(isErrorReply(bytes, start) ? start : replyLineEnd(bytes, start), end);
}

function arrayOf(elements: readonly Buffer[]): Buffer {
  return Buffer.concat([Buffer.from(`*${elements.length}\r\n`), ...elements]);
}

/** Each item found with the end of its own answer, in the order of the keys, of a reply that is an array of items. */
class JoinedAnswer implements Answer {
  readonly parts = null;
  readonly #keys: ItemKeys;

  constructor(keys: ItemKeys) {
    this.#keys = keys;
  }

  write(out: AnswerWriter, request: Request, counters: Counters): void {
    const { count } = this.#keys;
    if (isErrorReply(request.bytes, request.start)) {
      for (let i = 0; i < count; i++) writeError(out, request);
      return;
    }
    const sources = sourcesOf(request);
    let at = replyLineEnd(request.bytes, request.start);
    for (let i = 0; i < count; i++) {
      const source = sources?.[i] ?? request;
      if (sources !== null) at = 0;
      at = writeFound(out, this.#keys.at(i), source, at, counters);
    }
  }
}
