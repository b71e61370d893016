import { isErrorReply } from '../core/frames.ts';
import type { Request } from '../core/request.ts';
import { type Answer, writeError } from './answer.ts';
import type { AnswerWriter } from './answer-writer.ts';
import type { Counters } from './counters.ts';

const PLUS = 0x2b;
const DOLLAR = 0x24;
const MINUS = 0x2d;

/** What became of a value. */
export type Stored = 'STORED' | 'NOT_STORED' | 'EXISTS' | 'NOT_FOUND';

/** Reads the reply of SET or RS.MCSET, which is no error: a version or OK, null, or why not. */
export function storedOf({ bytes, start }: Request): Stored {
  if (bytes[start] === DOLLAR) return bytes[start + 1] === MINUS ? 'NOT_STORED' : 'STORED';
  if (bytes[start] !== PLUS || bytes[start + 1] === 0x4f) return 'STORED';
  if (bytes[start + 1] === 0x45) return 'EXISTS';
  return bytes[start + 5] === 0x53 ? 'NOT_STORED' : 'NOT_FOUND';
}

class StoreAnswer implements Answer {
  readonly parts = null;
  readonly #isCas: boolean;
  readonly #isQuiet: boolean;

  constructor(isCas: boolean, isQuiet: boolean) {
    this.#isCas = isCas;
    this.#isQuiet = isQuiet;
  }

  write(out: AnswerWriter, request: Request, counters: Counters): void {
    counters.cmd_set++;
    if (isErrorReply(request.bytes, request.start)) {
      if (!this.#isQuiet) writeError(out, request);
      return;
    }
    const stored = storedOf(request);
    if (this.#isCas) countCas(counters, stored);
    if (!this.#isQuiet) out.text(`${stored}\r\n`);
  }
}

/** Counts how a comparison of versions went. */
export function countCas(counters: Counters, stored: Stored): void {
  if (stored === 'STORED') counters.cas_hits++;
  else if (stored === 'EXISTS') counters.cas_badval++;
  else counters.cas_misses++;
}

export const storeAnswer: Answer = new StoreAnswer(false, false);
export const storeAnswerQuiet: Answer = new StoreAnswer(false, true);
export const casAnswer: Answer = new StoreAnswer(true, false);
export const casAnswerQuiet: Answer = new StoreAnswer(true, true);
