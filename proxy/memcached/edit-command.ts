import { RingsideError } from '../../lib/base/index.ts';
import { replyLineEnd } from '../../lib/codec/resp/index.ts';
import { isErrorReply } from '../core/frames.ts';
import type { Request } from '../core/request.ts';
import type { ShardRoute } from '../core/topology.ts';
import { type Answer, BAD_FORMAT, LineAnswer, SILENCE, writeError } from './answer.ts';
import type { AnswerWriter } from './answer-writer.ts';
import type { MemcachedConnection } from './connection.ts';
import type { Counters } from './counters.ts';
import { keyOf, type MemcachedKey, noRingAnswer } from './key.ts';
import { type MemcachedParser, unsigned64, wordIs } from './protocol/index.ts';
import { bulkTextAt } from './reply-text.ts';

const ROOM_BYTES = 64;
const PLUS = 0x2b;
const ONE = 0x31;
const DELETE_USAGE = new LineAnswer('CLIENT_ERROR bad command line format.  Usage: delete <key> [noreply]');
const BAD_DELTA = new LineAnswer('CLIENT_ERROR invalid numeric delta argument');

/** `delete`, which old clients give a time of 0. */
export function runDelete(connection: MemcachedConnection, parser: MemcachedParser, nowMs: number) {
  const { count } = parser;
  const isQuiet = count > 2 && wordIs(parser, count - 1, 'noreply');
  if (count > 2) {
    const hasZero = wordIs(parser, 2, '0');
    const isValid = count === 3 ? hasZero || isQuiet : hasZero && isQuiet;
    if (!isValid) return connection.say(isQuiet ? SILENCE : DELETE_USAGE);
  }
  const key = keyOf(parser, 1);
  if (key === null) return connection.say(isQuiet ? SILENCE : BAD_FORMAT);
  const route = routeOf(connection, key);
  if (route === null) return;
  const { frames } = connection.context;
  frames.begin(2, ROOM_BYTES + key.end - key.start);
  frames.text('DEL');
  frames.bytes(key.buffer, key.start, key.end);
  connection.send(route, isQuiet ? deleteAnswerQuiet : deleteAnswer, true, 1, nowMs);
}

/** `incr` and `decr` */
export function runArithmetic(
  connection: MemcachedConnection,
  parser: MemcachedParser,
  nowMs: number,
  isDecrement: boolean,
) {
  const isQuiet = wordIs(parser, parser.count - 1, 'noreply');
  const key = keyOf(parser, 1);
  if (key === null) return connection.say(isQuiet ? SILENCE : BAD_FORMAT);
  const delta = unsigned64(parser.buffer, parser.start(2), parser.end(2));
  if (delta === null) return connection.say(isQuiet ? SILENCE : BAD_DELTA);
  const route = routeOf(connection, key);
  if (route === null) return;
  if (route.engine !== 'ringside') return connection.say(noArithmetic(route));
  const { frames } = connection.context;
  frames.begin(isDecrement ? 4 : 3, ROOM_BYTES + key.end - key.start);
  frames.text('RS.MCINCR');
  frames.bytes(key.buffer, key.start, key.end);
  frames.text(delta);
  if (isDecrement) frames.text('DECR');
  connection.send(route, new NumberAnswer(isDecrement, isQuiet), true, 1, nowMs);
}

/** memcached's arithmetic is not that of Redis. */
export function noArithmetic({ engine }: ShardRoute): LineAnswer {
  const text = `memcached's arithmetic: not supported by engine ${engine}`;
  return new LineAnswer(new RingsideError('not_implemented', text).toMemcached());
}

/** Null when there is no ring, and the client was told so. */
export function routeOf(connection: MemcachedConnection, key: MemcachedKey): ShardRoute | null {
  const { router } = connection.context;
  if (router.routes.length > 0) return router.routeOf(key.buffer, key.start, key.end);
  connection.say(noRingAnswer());
  return null;
}

/** Whether a counting reply is at least 1. */
export function isCounted({ bytes, start }: Request): boolean {
  return bytes[start + 1] >= ONE;
}

class DeleteAnswer implements Answer {
  readonly parts = null;
  readonly #isQuiet: boolean;

  constructor(isQuiet: boolean) {
    this.#isQuiet = isQuiet;
  }

  write(out: AnswerWriter, request: Request, counters: Counters): void {
    if (isErrorReply(request.bytes, request.start)) {
      if (!this.#isQuiet) writeError(out, request);
      return;
    }
    const isDeleted = isCounted(request);
    if (isDeleted) counters.delete_hits++;
    else counters.delete_misses++;
    if (!this.#isQuiet) out.text(isDeleted ? 'DELETED\r\n' : 'NOT_FOUND\r\n');
  }
}

const deleteAnswer: Answer = new DeleteAnswer(false);
const deleteAnswerQuiet: Answer = new DeleteAnswer(true);

class NumberAnswer implements Answer {
  readonly parts = null;
  readonly #isDecrement: boolean;
  readonly #isQuiet: boolean;

  constructor(isDecrement: boolean, isQuiet: boolean) {
    this.#isDecrement = isDecrement;
    this.#isQuiet = isQuiet;
  }

  write(out: AnswerWriter, request: Request, counters: Counters): void {
    const { bytes, start } = request;
    if (isErrorReply(bytes, start)) {
      if (!this.#isQuiet) writeError(out, request);
      return;
    }
    const isMissing = bytes[start] === PLUS;
    countNumber(counters, this.#isDecrement, isMissing);
    if (this.#isQuiet) return;
    out.text(isMissing ? 'NOT_FOUND' : bulkTextAt(bytes, replyLineEnd(bytes, start)));
    out.text('\r\n');
  }
}

/** Counts an increment or a decrement. */
export function countNumber(counters: Counters, isDecrement: boolean, isMissing: boolean): void {
  if (isDecrement) counters[isMissing ? 'decr_misses' : 'decr_hits']++;
  else counters[isMissing ? 'incr_misses' : 'incr_hits']++;
}
