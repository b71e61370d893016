import { RingsideError } from '../../lib/base/index.ts';
import type { Purge } from '../core/api.ts';
import { checkPurge, MAX_MULTI_KEYS } from '../listener/index.ts';

const INTEGER = /^-?[0-9]{1,19}$/;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** How an mget writes keys and values in JSON. */
export type TextEncoding = 'utf8' | 'base64';

/** A parsed mget: the keys as they were written and as bytes. */
export interface MgetRequest {
  readonly encoding: TextEncoding;
  readonly names: readonly string[];
  readonly keys: readonly Buffer[];
}

/** The body of an incr: `{"by": "5"}`, a number within 2^53 also as such; 1 when empty. Throws RingsideError `bad_request`. */
export function parseBy(body: Buffer): bigint {
  const { by = '1' } = body.length === 0 ? {} : parseObject(body, ['by']);
  const text = typeof by === 'number' && Number.isSafeInteger(by) ? String(by) : by;
  if (typeof text === 'string' && INTEGER.test(text)) {
    const value = BigInt(text);
    if (BigInt.asIntN(64, value) === value) return value;
  }
  throw bad('`by` is not a 64-bit whole number, as a string (or a number within 2^53)');
}

/** The body of an mget: `{"keys": […], "encoding": "utf8" | "base64"}`. Throws RingsideError `bad_request`. */
export function parseMget(body: Buffer): MgetRequest {
  const given = parseObject(body, ['keys', 'encoding']);
  const encoding = parseEncoding(given.encoding);
  const { keys: names } = given;
  if (!Array.isArray(names) || names.length === 0 || names.length > MAX_MULTI_KEYS) {
    throw bad(`\`keys\` is not a list of 1 to ${MAX_MULTI_KEYS} keys`);
  }
  return { encoding, names, keys: names.map((name, i) => parseText(name, encoding, 'keys', i)) };
}

/** The body of a purge: `{"keys": […], "tags": […], "prefixes": […], "encoding": "utf8" | "base64"}`. Throws RingsideError `bad_request`. */
export function parsePurge(body: Buffer): Purge {
  const given = parseObject(body, ['keys', 'tags', 'prefixes', 'encoding']);
  const encoding = parseEncoding(given.encoding);
  const list = (member: string) => {
    const texts = given[member] ?? [];
    if (!Array.isArray(texts)) throw bad(`\`${member}\` is not a list`);
    return texts.map((text, i) => parseText(text, encoding, member, i));
  };
  return checkPurge({ keys: list('keys'), tags: list('tags'), prefixes: list('prefixes') });
}

function parseEncoding(encoding: unknown = 'utf8'): TextEncoding {
  if (encoding !== 'utf8' && encoding !== 'base64') throw bad('`encoding` is neither "utf8" nor "base64"');
  return encoding;
}

function parseText(text: unknown, encoding: TextEncoding, member: string, index: number): Buffer {
  const isWritten =
    typeof text === 'string' && (encoding === 'base64' ? BASE64.test(text) : text.isWellFormed());
  if (!isWritten || text.length === 0) {
    const kind = encoding === 'base64' ? ' of base64' : '';
    throw bad(`\`${member}[${index}]\` is not a non-empty string${kind}`);
  }
  return Buffer.from(text, encoding);
}

function parseObject(body: Buffer, known: readonly string[]): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(body.toString('utf8'));
  } catch (error) {
    throw new RingsideError('bad_request', 'the body is not JSON', { cause: error });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw bad('the body is not a JSON object');
  }
  const unknown = Object.keys(value).find((name) => !known.includes(name));
  if (unknown !== undefined)
    throw bad(`unknown member ${JSON.stringify(unknown)}; known: ${known.join(', ')}`);
  return value as Record<string, unknown>;
}

function bad(message: string): RingsideError {
  return new RingsideError('bad_request', message);
}
