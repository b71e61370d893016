import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { encodeCommand } from '../../../lib/codec/resp/index.ts';

/* Frames that went over the wire between clients and a real redis-server: from the sessions in `test/node/transcripts`. */

const folder = join(import.meta.dirname, '../../node/transcripts');
const REQUEST = /^\w*> (.*)$/;
const REPLY = /^(?:\w+< )?([-+:$*_#,(!=%~>|].*)$/;
const WORD = /"(?:[^"\\]|\\.)*"|\S+/g;
/** Longer ones leave no room for changes. */
const MAX_FRAME_BYTES = 600;

const lines = globSync('*.txt', { cwd: folder })
  .sort()
  .flatMap((file) => readFileSync(join(folder, file), 'utf8').split('\n'));

const short = (frames: readonly Buffer[]) => {
  const different = new Map(frames.map((frame) => [frame.latin1Slice(), frame]));
  return [...different.values()].filter(({ length }) => length <= MAX_FRAME_BYTES);
};

/** Every different command of the sessions, as an array and as a line. */
export function realRequests(): Buffer[] {
  return short(
    lines.flatMap((line) => {
      const words = REQUEST.exec(line)?.[1].match(WORD);
      if (!words) return [];
      const parts = words.map((word) => (word.startsWith('"') ? String(JSON.parse(word)) : word));
      return [encodeCommand(...parts), Buffer.from(`${words.join(' ')}\r\n`)];
    }),
  );
}

/** Every different reply of the sessions, of both versions of RESP. */
export function realReplies(): Buffer[] {
  return short(
    lines.flatMap((line) => {
      const text = REPLY.exec(line)?.[1];
      const frame = text === undefined || REQUEST.test(line) ? null : new Flattened(text).frame();
      return frame === null ? [] : [frame];
    }),
  );
}

/** A reply as sessions have it, in which a blank stands for each line end. */
class Flattened {
  readonly #bytes: Buffer;
  readonly #isPlain: boolean;
  readonly #out: string[] = [];
  #at = 0;

  constructor(text: string) {
    this.#bytes = Buffer.from(`${text}  `);
    // Alone, a line may have blanks in it.
    this.#isPlain = /^[-+]/.test(text);
  }

  /** Null when it cannot be read back. */
  frame(): Buffer | null {
    if (this.#isPlain) return Buffer.from(`${this.#bytes.latin1Slice().trimEnd()}\r\n`, 'latin1');
    this.#value();
    const isWhole = this.#at >= this.#bytes.length - 2 && this.#at <= this.#bytes.length;
    return isWhole ? Buffer.from(this.#out.join(''), 'latin1') : null;
  }

  #value(): void {
    if (this.#at >= this.#bytes.length) return;
    const end = this.#bytes.indexOf(' ', this.#at);
    const line = this.#bytes.latin1Slice(this.#at, end);
    this.#out.push(line, '\r\n');
    this.#at = end + 1;
    const count = Number(line.slice(1));
    if ('$=!'.includes(line[0]) && count >= 0) {
      this.#out.push(this.#bytes.latin1Slice(this.#at, this.#at + count), '\r\n');
      this.#at += count + 1;
    } else if ('*~>%|'.includes(line[0])) {
      const parts = line[0] === '%' ? 2 * count : line[0] === '|' ? 2 * count + 1 : count;
      for (let i = 0; i < parts; i++) this.#value();
    }
  }
}
