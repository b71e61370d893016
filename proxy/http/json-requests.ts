import { RingsideError } from '../../lib/base/index.ts';
import type { Purge } from '../core/api.ts';
import { checkPurge } from '../listener/index.ts';
import { bodies } from './schemas.ts';
import { bodyCheck } from './validation.ts';

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** How an mget writes keys and values in JSON. */
export type TextEncoding = 'utf8' | 'base64';

/** A parsed mget: the keys as they were written and as bytes. */
export interface MgetRequest {
  readonly encoding: TextEncoding;
  readonly names: readonly string[];
  readonly keys: readonly Buffer[];
}

type Texts = readonly string[];

const checkIncr = bodyCheck(bodies.incr);
const checkMget = bodyCheck(bodies.mget);
const checkPurgeBody = bodyCheck(bodies.purge);

/** The body of an incr: `{"by": "5"}`, a number within 2^53 also as such; 1 when empty. Throws RingsideError `bad_request`. */
export function parseBy(body: Buffer): bigint {
  if (body.length === 0) return 1n;
  const given = parse(body);
  checkIncr(given);
  const { by = '1' } = given as { by?: string | number };
  const value = BigInt(by);
  if (BigInt.asIntN(64, value) === value) return value;
  throw bad('`by` is not a 64-bit whole number');
}

/** The body of an mget: `{"keys": […], "encoding": "utf8" | "base64"}`. Throws RingsideError `bad_request`. */
export function parseMget(body: Buffer): MgetRequest {
  const given = parse(body);
  checkMget(given);
  const { keys: names, encoding = 'utf8' } = given as { keys: Texts; encoding?: TextEncoding };
  return { encoding, names, keys: bytesOf(names, encoding, 'keys') };
}

/** The body of a purge: `{"keys": […], "tags": […], "prefixes": […], "encoding": "utf8" | "base64"}`. Throws RingsideError `bad_request`. */
export function parsePurge(body: Buffer): Purge {
  const given = parse(body);
  checkPurgeBody(given);
  const lists = given as { keys?: Texts; tags?: Texts; prefixes?: Texts; encoding?: TextEncoding };
  const { keys = [], tags = [], prefixes = [], encoding = 'utf8' } = lists;
  return checkPurge({
    keys: bytesOf(keys, encoding, 'keys'),
    tags: bytesOf(tags, encoding, 'tags'),
    prefixes: bytesOf(prefixes, encoding, 'prefixes'),
  });
}

function bytesOf(texts: Texts, encoding: TextEncoding, member: string): Buffer[] {
  return texts.map((text, i) => {
    if (encoding === 'base64' ? BASE64.test(text) : text.isWellFormed()) return Buffer.from(text, encoding);
    throw bad(`\`${member}[${i}]\` is not ${encoding === 'base64' ? 'base64' : 'well-formed text'}`);
  });
}

function parse(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch (error) {
    throw new RingsideError('bad_request', 'the body is not JSON', { cause: error });
  }
}

function bad(message: string): RingsideError {
  return new RingsideError('bad_request', message);
}
