import { encodeCommand, replyLineEnd, replyNumber } from '../../lib/codec/resp/index.ts';
import { murmur3x86_32 } from '../../lib/ring/index.ts';
import { isErrorReply } from './frames.ts';
import { countOf, Gather } from './gather.ts';
import type { Request } from './request.ts';
import type { Router } from './router.ts';
import type { ShardRoute } from './topology.ts';

/** What a cursor leaves for the shard: with a node's 32 bits it stays below 2^53, which clients may keep in a double. */
const ID_BITS = 16n;
const ID_MASK = (1n << ID_BITS) - 1n;
const MOST_IDS = 0xffff;

/** A shard and what cursors call it. */
interface Stop {
  readonly id: number;
  readonly route: ShardRoute;
}

/**
 * The shards in the order in which a SCAN visits them. A shard's id, 1 to 65535, follows from its name alone (two of one hash: the second
 * by name takes the next free one), so that others may come and go and leaders may change while a scan is under way.
 */
export function scanStops(routes: readonly ShardRoute[]): Stop[] {
  const taken = new Set<number>();
  const stops = routes
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .map((route) => {
      const name = Buffer.from(route.name);
      let id = (murmur3x86_32(name, 0, name.length, 0) % MOST_IDS) + 1;
      while (taken.has(id)) id = (id % MOST_IDS) + 1;
      taken.add(id);
      return { id, route };
    });
  return stops.sort((a, b) => a.id - b.id);
}

/**
 * SCAN goes through the shards one after the other. The client's cursor is the node's cursor times 65536 plus the id of the shard. One of a
 * shard that has left the ring goes on with the next.
 */
export function scanShards(
  router: Router,
  parent: Request,
  cursor: bigint,
  options: readonly Buffer[],
): void {
  const stops = scanStops(router.routes);
  const id = Number(cursor & ID_MASK);
  const at = stops.findIndex((stop) => stop.id >= id);
  if (at < 0) {
    parent.answerWith(Buffer.from('*2\r\n$1\r\n0\r\n*0\r\n'));
    return;
  }
  const stop = stops[at];
  const inner = stop.id === id ? cursor >> ID_BITS : 0n;
  const frame = encodeCommand('SCAN', inner, ...options);
  const gather = Gather.merging(parent, ([part]) => {
    const { reply } = part;
    if (isErrorReply(reply.bytes, reply.start))
      return Buffer.from(reply.bytes.subarray(reply.start, reply.end));
    if (countOf(part) !== 2) throw new Error(`shard ${stop.route.name} answered SCAN with something else`);
    return withCursor(reply, stop.id, stops[at + 1]?.id ?? 0);
  });
  gather.send(router, stop.route, frame, false);
  gather.seal();
}

/** A SCAN cursor as clients send it; null when it is none. */
export function parseCursor(text: string): bigint | null {
  if (!/^\d{1,20}$/.test(text)) return null;
  const cursor = BigInt(text);
  return cursor < 1n << 64n ? cursor : null;
}

/** The node's reply with the cursor that the client is to come back with: in this shard, or when that is done at the beginning of the next (0: none). */
function withCursor(reply: Request, id: number, nextId: number): Buffer {
  const { bytes, start, end } = reply;
  const cursorAt = replyLineEnd(bytes, start);
  const textAt = replyLineEnd(bytes, cursorAt);
  const keysAt = textAt + replyNumber(bytes, cursorAt) + 2;
  const inner = BigInt(bytes.latin1Slice(textAt, keysAt - 2));
  const cursor = inner === 0n ? BigInt(nextId) : (inner << ID_BITS) | BigInt(id);
  const text = cursor.toString();
  return Buffer.concat([Buffer.from(`*2\r\n$${text.length}\r\n${text}\r\n`), bytes.subarray(keysAt, end)]);
}
