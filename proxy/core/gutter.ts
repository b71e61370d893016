import { encodeCommand } from '../../lib/codec/resp/index.ts';
import { Ring } from '../../lib/ring/index.ts';
import { argumentRange } from './frames.ts';
import type { LinkEnvironment } from './link.ts';
import { acquireRequest, discard, type Request } from './request.ts';
import type { ShardRoute, TopologyShard, UpstreamNode } from './topology.ts';

/** Keys of one shard whose writes are remembered; further ones are left to `stalenessMs`. */
const MAX_DEBTS = 10_000;
/** Keys that one command deletes. */
const KEYS_PER_COMMAND = 500;

/** What has gone to the gutter instead of to one shard. */
interface Absence {
  /** Keys that were written, by database, one character a byte. */
  readonly written: Map<number, Set<string>>;
  count: number;
}

/**
 * The gutter: idle shards, outside the ring, that take the keys of a shard that has no node left that answers ("Scaling Memcache at Facebook", Nishtala
 * et al., NSDI 2013), where the namespace lets them. What is written there ends soon, so that nobody has to take it away; when the shard answers again,
 * what was written meanwhile is deleted there first, as far as this thread wrote it.
 */
export class Gutter {
  readonly #env: LinkEnvironment;
  readonly #ttlMs: number;
  #routes: readonly ShardRoute[] = [];
  #ring: Ring | null = null;
  /** By name of the shard. */
  readonly #absent = new Map<string, Absence>();

  constructor(env: LinkEnvironment, ttlMs: number) {
    this.#env = env;
    this.#ttlMs = ttlMs;
  }

  get routes(): readonly ShardRoute[] {
    return this.#routes;
  }

  /** Whether a shard was away when it was last asked for. */
  get isUsed(): boolean {
    return this.#absent.size > 0;
  }

  /** These are the shards of the gutter. */
  use(shards: readonly TopologyShard[], routes: readonly ShardRoute[]): void {
    this.#routes = routes;
    this.#ring = shards.length === 0 ? null : Ring.of(shards);
  }

  /** Whether there is a gutter, and no node of this shard answers. */
  isFor({ leader, followers }: ShardRoute): boolean {
    if (this.#ring === null || (leader !== null && !isAway(leader))) return false;
    return !followers.some((node) => node.isConnected && !isAway(node));
  }

  /** The node that stands in for the shard of this request; null: there is none, or the request must wait for its own. */
  standIn({ bytes, start: at, keyIndex, isWrite, fromLeader, sink }: Request): UpstreamNode | null {
    if (keyIndex < 1 || fromLeader || sink.handBack) return null;
    const { start, end } = argumentRange(bytes, at, keyIndex);
    return this.nodeFor(bytes, start, end, isWrite);
  }

  /** The node that takes the key `buffer[start, end)`; null: there is none, or its namespace does not let it. */
  nodeFor(buffer: Buffer, start: number, end: number, isWrite: boolean): UpstreamNode | null {
    const { config } = this.#env.settings.namespaces.rulesOf(buffer, start, end);
    if (this.#ring === null || !config?.gutter || (isWrite && config.ack === 'replica')) return null;
    for (const at of this.#ring.walk(buffer, start, end)) {
      const { leader } = this.#routes[at];
      if (leader?.isConnected && !leader.health.isTroubled) return leader;
    }
    return null;
  }

  /** The request goes to a stand-in. Returns what has to be sent right behind it: a write must not outlive its time. */
  sent(request: Request, { name }: ShardRoute): Request | null {
    let absence = this.#absent.get(name);
    if (absence === undefined) {
      absence = { written: new Map(), count: 0 };
      this.#absent.set(name, absence);
      this.#env.log.warn({ shard: name }, 'no node of the shard answers: the gutter takes its keys');
    }
    if (!request.isWrite) return null;
    const { start, end } = argumentRange(request.bytes, request.start, request.keyIndex);
    const key = request.bytes.latin1Slice(start, end);
    this.#remember(absence, request.database, key);
    const frame = encodeCommand('PEXPIRE', Buffer.from(key, 'latin1'), String(this.#ttlMs), 'LT');
    // Sent there or not at all: at its own shard the key is to live as long as it did.
    return made(frame, request, { database: request.database, isWrite: false });
  }

  /** The shard is asked again: what has to be sent ahead, so that nobody reads there what was written elsewhere meanwhile. */
  returned(request: Request, { name }: ShardRoute): Request[] {
    const absence = this.#absent.get(name);
    if (absence === undefined) return [];
    this.#absent.delete(name);
    this.#env.log.info(
      { shard: name, written: absence.count },
      'the shard is asked again instead of the gutter',
    );
    return [...absence.written].flatMap(([database, keys]) => {
      const names = Array.from(keys, (key) => Buffer.from(key, 'latin1'));
      const parts = Array.from({ length: Math.ceil(names.length / KEYS_PER_COMMAND) }, (_, i) =>
        names.slice(i * KEYS_PER_COMMAND, (i + 1) * KEYS_PER_COMMAND),
      );
      return parts.map((part) =>
        made(encodeCommand('UNLINK', ...part), request, { database, isWrite: true }),
      );
    });
  }

  #remember(absence: Absence, database: number, key: string): void {
    if (absence.count >= MAX_DEBTS) return;
    const keys = absence.written.get(database) ?? new Set<string>();
    absence.written.set(database, keys);
    if (!keys.has(key)) absence.count++;
    keys.add(key);
  }
}

function isAway(node: UpstreamNode): boolean {
  return node.isSuspect || node.health.breakerState !== 'closed';
}

/** A command that nobody waits for; one that is no write is not sent again when its connection is lost. */
function made(
  frame: Buffer,
  like: Request,
  { database, isWrite }: Pick<Request, 'database' | 'isWrite'>,
): Request {
  const request = acquireRequest();
  request.bytes = frame;
  request.end = frame.length;
  request.isWrite = isWrite;
  request.keyIndex = 1;
  request.protocol = like.protocol;
  request.database = database;
  request.startedMs = like.startedMs;
  request.route = like.route;
  request.sink = discard;
  return request;
}
