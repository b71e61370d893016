import { RingsideError } from '../../lib/base/index.ts';
import { memcachedCommands } from './commands.ts';

const LF = 0x0a;
const CR = 0x0d;
const BINARY_MAGIC = 0x80;
const MAX_KEY_BYTES = 250;
const NOT_IMPLEMENTED = new RingsideError(
  'not_implemented',
  'not implemented: the memcached protocol comes in a later release',
).toMemcached();

/** Bounds of one connection. */
export interface SessionLimits {
  /** Bytes of a command line. */
  readonly maxLineBytes: number;
  /** Bytes of a data block. */
  readonly maxDataBytes: number;
}

/**
 * One memcached connection, without the connection: bytes in, answers out. Every command but `version` and `quit` is answered
 * that it comes later; data blocks are skipped, so that they are never taken for commands.
 */
export class MemcachedSession {
  readonly #limits: SessionLimits;
  readonly #version: string;
  #line: Buffer[] = [];
  #lineBytes = 0;
  /** Bytes of the present data block, its line end included, that have not come yet. */
  #dataLeft = 0;
  #lastTwo = 0;
  #answerAfterData = '';
  /** The connection is to end once the answers are out. */
  isOver = false;

  constructor(limits: SessionLimits, version: string) {
    this.#limits = limits;
    this.#version = version;
  }

  /** Something has begun and is not complete. */
  get isPending(): boolean {
    return this.#lineBytes > 0 || this.#dataLeft > 0;
  }

  /** Takes what has arrived; returns what to answer, maybe nothing. */
  feed(chunk: Buffer): string {
    let answer = '';
    let at = 0;
    while (at < chunk.length && !this.isOver) {
      if (this.#dataLeft > 0) {
        const end = Math.min(chunk.length, at + this.#dataLeft);
        answer += this.#skip(chunk.subarray(at, end));
        at = end;
      } else {
        const lineEnd = chunk.indexOf(LF, at);
        const end = lineEnd < 0 ? chunk.length : lineEnd + 1;
        answer += this.#take(chunk.subarray(at, end), lineEnd >= 0);
        at = end;
      }
    }
    return answer;
  }

  #skip(block: Buffer): string {
    for (const byte of block.subarray(-2)) this.#lastTwo = ((this.#lastTwo << 8) | byte) & 0xffff;
    this.#dataLeft -= block.length;
    if (this.#dataLeft > 0) return '';
    if (this.#lastTwo !== ((CR << 8) | LF)) return this.#end('CLIENT_ERROR bad data chunk');
    return this.#answerAfterData;
  }

  #take(part: Buffer, isComplete: boolean): string {
    if (this.#lineBytes === 0 && part[0] === BINARY_MAGIC) {
      return this.#end('SERVER_ERROR the binary protocol is not supported, use the text protocol');
    }
    this.#lineBytes += part.length;
    if (this.#lineBytes > this.#limits.maxLineBytes) return this.#end('CLIENT_ERROR line too long');
    this.#line.push(part);
    if (!isComplete) return '';
    const line = Buffer.concat(this.#line).toString('latin1');
    this.#line = [];
    this.#lineBytes = 0;
    return this.#answer(line.replace(/\r?\n$/, ''));
  }

  #answer(line: string): string {
    const [name, ...words] = line.split(' ').filter((word) => word !== '');
    const command = memcachedCommands.get(name);
    if (!command || words.length < command.minWords) {
      // Of a block that may follow the length is not known.
      return command?.lengthWord === undefined ? 'ERROR\r\n' : this.#end('ERROR');
    }
    if (name === 'quit') return this.#end('');
    if (name === 'version') return `VERSION ${this.#version}\r\n`;
    const reply = words.at(-1) === 'noreply' ? '' : `${NOT_IMPLEMENTED}\r\n`;
    if (command.lengthWord !== undefined) return this.#expectData(words[command.lengthWord], reply);
    if (command.hasKey && words[0].length > MAX_KEY_BYTES) {
      return 'CLIENT_ERROR bad command line format\r\n';
    }
    return reply;
  }

  #expectData(length: string, reply: string): string {
    if (!/^[0-9]{1,10}$/.test(length)) return this.#end('CLIENT_ERROR bad data chunk');
    if (Number(length) > this.#limits.maxDataBytes)
      return this.#end('SERVER_ERROR object too large for cache');
    this.#dataLeft = Number(length) + 2;
    this.#answerAfterData = reply;
    return '';
  }

  #end(answer: string): string {
    this.isOver = true;
    this.#line = [];
    return answer === '' ? '' : `${answer}\r\n`;
  }
}
