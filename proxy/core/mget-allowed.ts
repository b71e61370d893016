import type { RingsideError } from '../../lib/base/index.ts';
import type { MgetResult } from './api.ts';

/** What `mget` finds of the keys that nothing is said against; the others have the error of theirs. In the order of the keys. */
export async function mgetAllowed(
  keys: readonly Buffer[],
  errorOf: (key: Buffer) => RingsideError | null,
  mget: (allowed: readonly Buffer[]) => Promise<MgetResult[]>,
): Promise<MgetResult[]> {
  const errors = keys.map(errorOf);
  const found = await mget(keys.filter((_, i) => errors[i] === null));
  let next = 0;
  return errors.map((error) => (error === null ? found[next++] : { error }));
}
