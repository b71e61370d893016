import { isErrorReply } from '../core/frames.ts';
import type { Request } from '../core/request.ts';
import type { ShardRoute } from '../core/topology.ts';
import { type Answer, BAD_FORMAT, LineAnswer, SILENCE, writeError } from './answer.ts';
import type { AnswerWriter } from './answer-writer.ts';
import type { MemcachedConnection } from './connection.ts';
import type { Counters } from './counters.ts';
import { GONE, ttlOf } from './expiry.ts';
import type { FrameSlab } from './frame-slab.ts';
import { isMiss } from './item.ts';
import { keyOf, type MemcachedKey, noRingAnswer } from './key.ts';
import { type MemcachedParser, signedNumber, wordIs } from './protocol/index.ts';

const BAD_EXPTIME = new LineAnswer('CLIENT_ERROR invalid exptime argument');
const ROOM_BYTES = 64;
const ZERO = 0x30;

/** `touch` */
export function runTouch(connection: MemcachedConnection, parser: MemcachedParser, nowMs: number) {
  const { router, frames } = connection.context;
  const isQuiet = wordIs(parser, parser.count - 1, 'noreply');
  const key = keyOf(parser, 1);
  if (key === null) return connection.say(isQuiet ? SILENCE : BAD_FORMAT);
  const exptime = signedNumber(parser.buffer, parser.start(2), parser.end(2));
  if (exptime === null) return connection.say(isQuiet ? SILENCE : BAD_EXPTIME);
  if (router.routes.length === 0) return connection.say(noRingAnswer());
  const route = router.routeOf(key.buffer, key.start, key.end);
  touchFrame(frames, route, key, ttlOf(exptime, router.env.clock.wallMs()), false);
  connection.send(route, isQuiet ? touchAnswerQuiet : touchAnswer, true, 1, nowMs);
}

/** The command that gives a key another time to live, and maybe answers what it holds. What Redis can do goes as its own. */
export function touchFrame(
  frames: FrameSlab,
  { engine }: ShardRoute,
  key: MemcachedKey,
  ttlMs: number,
  withValue: boolean,
): void {
  const tail = engine === 'ringside' ? tailOf(ttlMs, withValue) : redisTailOf(ttlMs, withValue);
  const [name, ...words] = tail;
  frames.begin(2 + words.length, ROOM_BYTES + key.end - key.start);
  frames.text(name);
  frames.bytes(key.buffer, key.start, key.end);
  for (const word of words) frames.text(word);
}

function tailOf(ttlMs: number, withValue: boolean): string[] {
  return withValue ? ['RS.MCTOUCH', String(ttlMs)] : ['RS.MCTOUCH', String(ttlMs), 'NOVALUE', 'QUIET'];
}

function redisTailOf(ttlMs: number, withValue: boolean): string[] {
  if (ttlMs === GONE) return [withValue ? 'GETDEL' : 'DEL'];
  if (ttlMs === 0) return ['GETEX', 'PERSIST'];
  return withValue ? ['GETEX', 'PX', String(ttlMs)] : ['PEXPIRE', String(ttlMs)];
}

class TouchAnswer implements Answer {
  readonly parts = null;
  readonly #isQuiet: boolean;

  constructor(isQuiet: boolean) {
    this.#isQuiet = isQuiet;
  }

  write(out: AnswerWriter, request: Request, counters: Counters): void {
    const { bytes, start } = request;
    counters.cmd_touch++;
    if (isErrorReply(bytes, start)) {
      if (!this.#isQuiet) writeError(out, request);
      return;
    }
    // DEL and PEXPIRE count.
    const isMissing = isMiss(bytes, start) || (bytes[start] === 0x3a && bytes[start + 1] === ZERO);
    if (isMissing) counters.touch_misses++;
    else counters.touch_hits++;
    if (!this.#isQuiet) out.text(isMissing ? 'NOT_FOUND\r\n' : 'TOUCHED\r\n');
  }
}

const touchAnswer: Answer = new TouchAnswer(false);
const touchAnswerQuiet: Answer = new TouchAnswer(true);
