import type { Random } from '../../lib/base/index.ts';
import type { RespValue } from '../../lib/codec/resp/index.ts';
import { RespClient } from './resp-client.ts';

/** What readers have seen. */
export interface Seen {
  reads: number;
  /** What one connection must never see, in words. */
  readonly wrong: string[];
}

type Ask = (key: string) => readonly (string | number)[];

/** How a read is sent: plainly, in a way that the near cache does not know, or with other keys. The last one is a write that tells the new value. */
const plain: Ask = (key) => ['GET', key];
const others: readonly Ask[] = [
  (key) => ['GETRANGE', key, 0, -1],
  (key) => ['MGET', key, 'n:none'],
  (key) => ['INCRBY', key, 1],
];
/** One of so many commands is not a plain GET. */
const RARITY = 400;

/**
 * Reads keys whose values only ever grow, over one connection with `depth` commands under way, and now and then adds to one; checks that no reply is
 * older than an earlier one, nor older than an own write.
 */
export async function readMonotonically(
  address: string,
  keys: readonly string[],
  options: { readonly reads: number; readonly depth: number; readonly random: Random; readonly seen: Seen },
): Promise<void> {
  const { reads, depth, random, seen } = options;
  const client = new RespClient(address);
  const newest = new Map<string, number>();
  const take = (key: string, command: string, reply: RespValue) => {
    const value = Number(Array.isArray(reply) ? reply[0] : reply);
    const before = newest.get(key) ?? 0;
    seen.reads++;
    if (!(value >= before)) {
      seen.wrong.push(`${key}: ${command} ${reply instanceof Error ? reply.message : value} after ${before}`);
      return;
    }
    newest.set(key, value);
  };
  for (let left = reads; left > 0; left -= depth) {
    const batch = Array.from({ length: Math.min(depth, left) }, () => {
      const key = keys[random.int(keys.length)];
      const ask = random.int(RARITY) > 0 ? plain : others[random.int(others.length)];
      const parts = ask(key);
      // Each in the same number of steps, so that they are taken in the order of the replies.
      return client.send(...parts).then((reply) => take(key, String(parts[0]), reply));
    });
    await Promise.all(batch);
  }
  client.close();
}
