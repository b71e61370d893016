import { parseDouble } from './numbers.ts';
import { RespProtocolError } from './protocol-error.ts';
import { replyLineEnd, replyNumber } from './walk.ts';

/** An error reply (`-` or `!`). `code` is its first word. */
export class RespError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'RespError';
  }

  get code(): string {
    return this.message.split(' ', 1)[0];
  }
}

/** An out-of-band message (`>`). */
export class RespPush {
  readonly items: RespValue[];
  constructor(items: RespValue[]) {
    this.items = items;
  }
}

/** A text with its format (`=`): `txt` or `mkd`. */
export class RespVerbatim {
  readonly format: string;
  readonly text: string;
  constructor(format: string, text: string) {
    this.format = format;
    this.text = text;
  }
}

/** A reply with attributes (`|`). */
export class RespAttributed {
  readonly attributes: Map<RespValue, RespValue>;
  readonly value: RespValue;
  constructor(attributes: Map<RespValue, RespValue>, value: RespValue) {
    this.attributes = attributes;
    this.value = value;
  }
}

/**
 * A decoded reply: simple strings are strings, bulk strings Buffers; integers are numbers, or bigints beyond 2^53 - 1;
 * doubles are numbers, big numbers bigints; maps Maps and sets Sets, in the order of the wire.
 */
export type RespValue =
  | string
  | Buffer
  | number
  | bigint
  | boolean
  | null
  | RespError
  | RespPush
  | RespVerbatim
  | RespAttributed
  | RespValue[]
  | Map<RespValue, RespValue>
  | Set<RespValue>;

class Decoder {
  readonly #buffer: Buffer;
  #at: number;

  constructor(buffer: Buffer, at: number) {
    this.#buffer = buffer;
    this.#at = at;
  }

  get at(): number {
    return this.#at;
  }

  value(): RespValue {
    const type = String.fromCharCode(this.#buffer[this.#at]);
    switch (type) {
      case '$':
        return this.#blob();
      case '!':
        return new RespError(String(this.#blob()));
      case '=':
        return verbatim(this.#blob() as Buffer);
      case '*':
        return this.#count() < 0 ? this.#null() : this.#items();
      case '~':
        return new Set(this.#items());
      case '>':
        return new RespPush(this.#items());
      case '%':
        return this.#map();
      case '|':
        return new RespAttributed(this.#map(), this.value());
      default:
        return lineValue(type, this.#line());
    }
  }

  #count(): number {
    return replyNumber(this.#buffer, this.#at);
  }

  #line(): string {
    const from = this.#at + 1;
    this.#at = replyLineEnd(this.#buffer, this.#at);
    return this.#buffer.utf8Slice(from, this.#at - 2);
  }

  #null(): null {
    this.#line();
    return null;
  }

  #blob(): Buffer | null {
    const bytes = this.#count();
    this.#line();
    if (bytes < 0) return null;
    const from = this.#at;
    this.#at = from + bytes + 2;
    return Buffer.from(this.#buffer.subarray(from, from + bytes));
  }

  #items(): RespValue[] {
    const count = this.#count();
    this.#line();
    const items: RespValue[] = [];
    for (let i = 0; i < count; i++) items.push(this.value());
    return items;
  }

  #map(): Map<RespValue, RespValue> {
    const count = this.#count();
    this.#line();
    const map = new Map<RespValue, RespValue>();
    for (let i = 0; i < count; i++) {
      // Text is what callers look maps up by.
      const key = this.value();
      map.set(Buffer.isBuffer(key) ? key.utf8Slice() : key, this.value());
    }
    return map;
  }
}

function verbatim(bytes: Buffer): RespVerbatim {
  return new RespVerbatim(bytes.latin1Slice(0, 3), bytes.utf8Slice(4));
}

function lineValue(type: string, line: string): RespValue {
  switch (type) {
    case '+':
      return line;
    case '-':
      return new RespError(line);
    case ':': {
      const value = wholeNumber(line);
      return Number.isSafeInteger(Number(value)) ? Number(value) : value;
    }
    case '(':
      return wholeNumber(line);
    case ',':
      return double(line);
    case '#':
      return line === 't';
    case '_':
      return null;
    default:
      throw new RespProtocolError(`unknown reply type '${type}'`);
  }
}

function wholeNumber(line: string): bigint {
  if (!/^[+-]?\d+$/.test(line)) throw new RespProtocolError('invalid number in a reply');
  return BigInt(line);
}

function double(line: string): number {
  const bytes = Buffer.from(line);
  return parseDouble(bytes, 0, bytes.length) ?? Number.NaN;
}

/**
 * Decodes the one reply (RESP2 or RESP3) in `buffer` from `start` to `end`, both as a ReplyFramer found them. Map keys that are
 * bulk strings become strings. Throws RespProtocolError when the bytes are not exactly one reply.
 */
export function decodeReply(buffer: Buffer, start = 0, end = buffer.length): RespValue {
  const decoder = new Decoder(buffer, start);
  const value = decoder.value();
  if (decoder.at !== end) throw new RespProtocolError('bytes behind a reply');
  return value;
}
