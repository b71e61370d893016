import { RingsideError } from '../../lib/base/index.ts';
import { parseDocument } from '../../lib/ring/index.ts';
import type { FollowerList, StateRecord } from '../core/types.ts';

/** The text that a state store keeps. */
export function encodeRecord(record: StateRecord): string {
  return JSON.stringify(record);
}

/** Reads what {@link encodeRecord} wrote. Throws RingsideError `config_invalid` on anything else. */
export function decodeRecord(text: string): StateRecord {
  let parsed: { document?: unknown; lists?: Record<string, unknown> };
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    throw new RingsideError('config_invalid', 'the stored state is not JSON', { cause: error });
  }
  const document = parseDocument(JSON.stringify(parsed.document ?? null));
  const lists: Record<string, FollowerList[]> = {};
  for (const { name } of document.shards) {
    const stored = parsed.lists?.[name];
    if (!Array.isArray(stored) || stored.length === 0 || !stored.every(isList)) {
      throw new RingsideError('config_invalid', `the stored state lacks the follower lists of shard ${name}`);
    }
    lists[name] = stored;
  }
  return { document, lists };
}

function isList(value: unknown): value is FollowerList {
  const list = value as FollowerList | null;
  return (
    typeof list === 'object' &&
    typeof list?.incarnation === 'string' &&
    typeof list.epoch === 'string' &&
    Array.isArray(list.followers) &&
    list.followers.every((id) => typeof id === 'string')
  );
}
