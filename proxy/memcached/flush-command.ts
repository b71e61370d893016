import { isErrorReply } from '../core/frames.ts';
import type { Request } from '../core/request.ts';
import { type Answer, ERROR, LineAnswer, SILENCE, writeError } from './answer.ts';
import type { AnswerWriter } from './answer-writer.ts';
import type { MemcachedConnection } from './connection.ts';
import { ttlOf } from './expiry.ts';
import { noRingAnswer } from './key.ts';
import type { Parts } from './parts.ts';
import { type MemcachedParser, signedNumber, wordIs } from './protocol/index.ts';

const OK = new LineAnswer('OK');
const BAD_EXPTIME = new LineAnswer('CLIENT_ERROR invalid exptime argument');

/** `flush_all`, at once or after a delay, of all shards. */
export function runFlush(connection: MemcachedConnection, parser: MemcachedParser, nowMs: number) {
  const { count } = parser;
  if (count > 3) return connection.say(ERROR);
  const { router, counters, group } = connection.context;
  const isQuiet = count > 1 && wordIs(parser, count - 1, 'noreply');
  counters.cmd_flush++;
  const hasDelay = count > (isQuiet ? 2 : 1);
  const delay = hasDelay ? signedNumber(parser.buffer, parser.start(1), parser.end(1)) : 0;
  if (delay === null) return connection.say(isQuiet ? SILENCE : BAD_EXPTIME);
  const delayMs = ttlOf(delay, router.env.clock.wallMs());
  const isLater = delayMs > 0;
  connection.askThreads(group, 'delayFlush', { delayMs: isLater ? delayMs : null }, () => {
    if (isLater) connection.say(isQuiet ? SILENCE : OK);
    else if (router.routes.length === 0) connection.say(noRingAnswer());
    else flushNow(connection, isQuiet, nowMs);
  });
}

function flushNow(connection: MemcachedConnection, isQuiet: boolean, nowMs: number): void {
  const { router, frames } = connection.context;
  const parts = connection.split(nowMs, (made) => new FlushAnswer(made, isQuiet));
  for (const route of router.routes) {
    frames.begin(1, 16);
    frames.text('FLUSHDB');
    parts.send(router, route, frames, true, 0);
  }
  parts.seal();
}

class FlushAnswer implements Answer {
  readonly parts: Parts;
  readonly #isQuiet: boolean;

  constructor(parts: Parts, isQuiet: boolean) {
    this.parts = parts;
    this.#isQuiet = isQuiet;
  }

  write(out: AnswerWriter): void {
    if (this.#isQuiet) return;
    const failed = this.parts.requests.find(({ bytes, start }: Request) => isErrorReply(bytes, start));
    if (failed === undefined) out.text('OK\r\n');
    else writeError(out, failed);
  }
}
