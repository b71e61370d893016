import { isErrorReply } from '../core/frames.ts';
import { errorOfReply } from '../core/reply-errors.ts';
import type { Request } from '../core/request.ts';
import type { AnswerWriter } from './answer-writer.ts';
import type { Counters } from './counters.ts';
import type { Parts } from './parts.ts';

/** What a client's command is answered, once the reply to its request, or to its parts, is there. */
export interface Answer {
  /** The requests that the command was split into; null when it is one request, or none. */
  readonly parts: Parts | null;
  /** Writes the answer, maybe nothing. `request` holds the reply when there are no parts. */
  write(out: AnswerWriter, request: Request, counters: Counters): void;
}

const ERROR_LINE = /^(?:CLIENT_|SERVER_)?ERROR\b/;

/** A line that does not depend on any node. */
export class LineAnswer implements Answer {
  readonly parts = null;
  readonly #text: string;
  readonly #isError: boolean;

  /** Without line end. */
  constructor(text: string) {
    this.#text = text;
    this.#isError = ERROR_LINE.test(text);
  }

  write(out: AnswerWriter): void {
    if (this.#isError) out.error(this.#text);
    else out.text(`${this.#text}\r\n`);
  }
}

/** Nothing is said. */
export const SILENCE: Answer = { parts: null, write() {} };
export const ERROR = new LineAnswer('ERROR');
export const BAD_FORMAT = new LineAnswer('CLIENT_ERROR bad command line format');
export const TOO_LARGE = new LineAnswer('SERVER_ERROR object too large for cache');
export const BAD_CHUNK = new LineAnswer('CLIENT_ERROR bad data chunk');

/** Writes an error reply of a node or of the router in memcached's words; false when the reply is none. */
export function writeError(out: AnswerWriter, { bytes, start, end }: Request): boolean {
  if (!isErrorReply(bytes, start)) return false;
  out.error(errorLine(bytes, start, end));
  return true;
}

/** The line for an error reply. */
export function errorLine(bytes: Buffer, start: number, end: number): string {
  return errorOfReply(bytes, start, end).toMemcached();
}
