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
/** Where several keys are read at once, one of so many commands is about one. */
const MANY_RARITY = 20;
/** And of those, one of so many is not a plain GET. */
const PLAIN_RARITY = 2;

/**
 * Reads keys whose values only ever grow, over one connection with `depth` commands under way, and now and then adds to one; checks that no reply is
 * older than an earlier one, nor older than an own write. `atOnce`: keys that are mostly read by one MGET, instead of by a GET each.
 */
export async function readMonotonically(
  address: string,
  keys: readonly string[],
  options: {
    readonly reads: number;
    readonly depth: number;
    readonly random: Random;
    readonly seen: Seen;
    readonly atOnce?: number;
  },
): Promise<void> {
  const { reads, depth, random, seen, atOnce = 1 } = options;
  const client = new RespClient(address);
  const newest = new Map<string, number>();
  const take = (key: string, command: string, reply: RespValue) => {
    const value = Number(reply);
    const before = newest.get(key) ?? 0;
    seen.reads++;
    if (!(value >= before)) {
      seen.wrong.push(`${key}: ${command} ${reply instanceof Error ? reply.message : value} after ${before}`);
      return;
    }
    newest.set(key, value);
  };
  const rarity = atOnce > 1 ? PLAIN_RARITY : RARITY;
  const pick = () => keys[random.int(keys.length)];
  const askOne = () => {
    const key = pick();
    const ask = random.int(rarity) > 0 ? plain : others[random.int(others.length)];
    return { asked: [key], parts: ask(key) };
  };
  const askMany = () => {
    const asked = Array.from({ length: atOnce }, pick);
    return { asked, parts: ['MGET', ...asked] };
  };
  for (let left = reads; left > 0; left -= depth) {
    const batch = Array.from({ length: Math.min(depth, left) }, () => {
      const { asked, parts } = atOnce > 1 && random.int(MANY_RARITY) > 0 ? askMany() : askOne();
      // Each in the same number of steps, so that they are taken in the order of the replies.
      return client.send(...parts).then((reply) => {
        for (const [i, key] of asked.entries())
          take(key, String(parts[0]), Array.isArray(reply) ? reply[i] : reply);
      });
    });
    await Promise.all(batch);
  }
  client.close();
}
