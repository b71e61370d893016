import { RingsideError } from '../../lib/base/index.ts';
import { MAX_PURGED_TAGS, MAX_TAG_BYTES, MAX_TAGS } from '../../lib/commands/index.ts';
import type { Purge } from '../core/api.ts';
import { MAX_MULTI_KEYS, MAX_PURGED_PREFIXES } from './limits.ts';

/** The tags of a value that is to be written; `where` names them for the error. Throws RingsideError `bad_request`. */
export function checkTags(tags: readonly Buffer[], where: string): readonly Buffer[] {
  if (tags.length > MAX_TAGS) throw bad(`a key has at most ${MAX_TAGS} tags (${where})`);
  checkLengths(tags, where);
  return tags;
}

/** A purge within its limits, whichever way it was asked for. Throws RingsideError `bad_request`. */
export function checkPurge(purge: Purge): Purge {
  const { keys, tags, prefixes } = purge;
  checkCount(keys, 'keys', MAX_MULTI_KEYS);
  checkCount(tags, 'tags', MAX_PURGED_TAGS);
  checkCount(prefixes, 'prefixes', MAX_PURGED_PREFIXES);
  if (keys.length + tags.length + prefixes.length === 0)
    throw bad('nothing to purge: name `keys`, `tags` or `prefixes`');
  if (keys.some((key) => key.length === 0)) throw bad('a key in `keys` is empty');
  if (prefixes.some((prefix) => prefix.length === 0))
    throw bad('a prefix in `prefixes` is empty, which would be every key');
  checkLengths(tags, '`tags`');
  return purge;
}

function checkLengths(tags: readonly Buffer[], where: string): void {
  if (tags.some(({ length }) => length === 0 || length > MAX_TAG_BYTES))
    throw bad(`a tag has 1 to ${MAX_TAG_BYTES} bytes (${where})`);
}

function checkCount(list: readonly Buffer[], name: string, most: number): void {
  if (list.length > most) throw bad(`\`${name}\` has more than ${most} entries`);
}

function bad(message: string): RingsideError {
  return new RingsideError('bad_request', message);
}
