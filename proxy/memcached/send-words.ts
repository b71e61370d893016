import type { ShardRoute } from '../core/topology.ts';
import type { Answer } from './answer.ts';
import type { MemcachedConnection } from './connection.ts';
import type { MemcachedKey } from './key.ts';

/** All words of a command beside its key together are shorter. */
const ROOM_BYTES = 160;

/** Sends a command about one key: its name, the key, and what follows. */
export function sendWords(
  connection: MemcachedConnection,
  route: ShardRoute,
  key: MemcachedKey,
  [name, ...words]: readonly string[],
  answer: Answer,
  isWrite: boolean,
  nowMs: number,
): void {
  const { frames } = connection.context;
  frames.begin(2 + words.length, ROOM_BYTES + key.end - key.start);
  frames.text(name);
  frames.bytes(key.buffer, key.start, key.end);
  for (const word of words) frames.text(word);
  connection.send(route, answer, isWrite, 1, nowMs);
}
