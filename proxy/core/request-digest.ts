import { createHash } from 'node:crypto';
import type { CommandPart } from '../../lib/codec/resp/index.ts';
import type { Pieces } from './api.ts';

/** Hashed at once; a long value must not hold up everybody else. */
const SLICE_BYTES = 1024 * 1024;
const DIGEST_BYTES = 16;

/** What `ONCE` is given. */
export interface Named {
  readonly name: Buffer;
  readonly digest: Buffer;
}

/** The name of a write under an idempotency key, which counts for one key of the cache, and the digest of all it asks for. */
export async function nameWrite(
  key: Buffer,
  idempotencyKey: Buffer,
  request: readonly CommandPart[],
  value: Pieces,
): Promise<Named> {
  return {
    name: await digestOf([key, idempotencyKey], []),
    digest: await digestOf(request, value),
  };
}

async function digestOf(parts: readonly CommandPart[], value: Pieces): Promise<Buffer> {
  const hash = createHash('sha256');
  for (const part of parts) {
    const bytes = Buffer.isBuffer(part) ? part : Buffer.from(String(part));
    // Behind its length, so that no two lists are alike.
    hash.update(`${bytes.length} `).update(bytes);
  }
  let since = 0;
  for (const piece of value) {
    for (let at = 0; at < piece.length; at += SLICE_BYTES) {
      const slice = piece.subarray(at, at + SLICE_BYTES);
      hash.update(slice);
      since += slice.length;
      if (since < SLICE_BYTES) continue;
      since = 0;
      await new Promise(setImmediate);
    }
  }
  return hash.digest().subarray(0, DIGEST_BYTES);
}
