import { RespError, type RespValue } from '../../lib/codec/resp/index.ts';
import { RespClient } from '../support/resp-client.ts';

/*
 * Writers that number what they write, value types and commands of all kinds in turn, and know of each number whether the node acknowledged
 * it, refused it, or left its fate open. A number is written once, so what a node holds tells what happened to it.
 */

const REFUSALS = new Set(['READONLY', 'STALERING', 'LOADING', 'NOREPLICAS', 'CLUSTERDOWN', 'EXECABORT']);
const FAR = 4_000_000_000_000;

/** A way to write number `n` below a prefix, and to read back the numbers that are there. */
interface Kind {
  write(client: RespClient, prefix: string, n: number): Promise<RespValue>;
  read(client: RespClient, prefix: string): Promise<number[]>;
  /** Only the newest number is kept: it is there when a later one is. */
  readonly overwrites?: boolean;
}

const numbersIn = (reply: RespValue) =>
  reply === null ? [] : (Array.isArray(reply) ? reply : [reply]).map(Number);

/** Every reply of a transaction is in the reply to EXEC. */
async function transaction(client: RespClient, ...commands: (string | number)[][]): Promise<RespValue> {
  const before = [client.send('MULTI'), ...commands.map((command) => client.send(...command))];
  const [reply] = await Promise.all([client.send('EXEC'), ...before]);
  return reply;
}

/** Ways to write that a proxy routes as well. */
export const plainKinds: Readonly<Record<string, Kind>> = {
  string: {
    write: (client, prefix, n) => client.send('SET', `${prefix}s`, n, 'PXAT', FAR + n),
    read: async (client, prefix) => {
      const [value, expiry] = [
        await client.send('GET', `${prefix}s`),
        await client.send('PEXPIRETIME', `${prefix}s`),
      ];
      return Number(expiry) === FAR + Number(value) ? numbersIn(value) : [];
    },
    overwrites: true,
  },
  list: {
    write: (client, prefix, n) => client.send('RPUSH', `${prefix}l`, n),
    read: async (client, prefix) => numbersIn(await client.send('LRANGE', `${prefix}l`, 0, -1)),
  },
  set: {
    write: (client, prefix, n) => client.send('SADD', `${prefix}set`, n),
    read: async (client, prefix) => numbersIn(await client.send('SMEMBERS', `${prefix}set`)),
  },
  hash: {
    write: (client, prefix, n) => client.send('HSET', `${prefix}h`, n, 'x'.repeat(n % 200)),
    read: async (client, prefix) => numbersIn(await client.send('HKEYS', `${prefix}h`)),
  },
  'sorted set': {
    write: (client, prefix, n) => client.send('ZADD', `${prefix}z`, n, n),
    read: async (client, prefix) => numbersIn(await client.send('ZRANGE', `${prefix}z`, 0, -1)),
  },
  bitmap: {
    write: (client, prefix, n) => client.send('SETBIT', `${prefix}b`, n, 1),
    read: async (client, prefix) => {
      const bytes = ((await client.send('GET', `${prefix}b`)) ?? Buffer.alloc(0)) as Buffer;
      return Array.from({ length: bytes.length * 8 }, (_, n) => n).filter(
        (n) => (bytes[n >> 3] & (0x80 >> (n & 7))) !== 0,
      );
    },
  },
};

/** Ways to write that only a node knows. */
export const nodeKinds: Readonly<Record<string, Kind>> = {
  ...plainKinds,
  transaction: {
    write: (client, prefix, n) =>
      transaction(
        client,
        ['RPUSH', `${prefix}x`, n],
        ['ZADD', `${prefix}y`, n, n],
        ['RPUSH', `${prefix}x2`, n],
      ),
    async read(client, prefix) {
      const parts = await Promise.all([
        client.send('LRANGE', `${prefix}x`, 0, -1),
        client.send('ZRANGE', `${prefix}y`, 0, -1),
        client.send('LRANGE', `${prefix}x2`, 0, -1),
      ]);
      const [first, ...others] = parts.map((part) => numbersIn(part).join());
      if (others.some((other) => other !== first)) throw new Error(`${prefix}: half a transaction is there`);
      return numbersIn(parts[0]);
    },
  },
  'moved element': {
    write: (client, prefix, n) =>
      transaction(
        client,
        ['RPUSH', `${prefix}from`, n],
        ['LMOVE', `${prefix}from`, `${prefix}to`, 'RIGHT', 'LEFT'],
        ['SORT', `${prefix}to`, 'STORE', `${prefix}sorted`],
      ),
    read: async (client, prefix) => numbersIn(await client.send('LRANGE', `${prefix}sorted`, 0, -1)),
  },
  fenced: {
    write: (client, prefix, n) => client.send('RS.SET', `${prefix}f`, n, 'FENCE', `${prefix}fence`, n),
    read: async (client, prefix) => numbersIn(await client.send('GET', `${prefix}f`)),
    overwrites: true,
  },
  tagged: {
    write: (client, prefix, n) => client.send('RS.SET', `${prefix}t${n}`, n, 'TAGS', 1, `${prefix}tag`),
    async read(client, prefix) {
      const keys = (await client.send('KEYS', `${prefix}t[0-9]*`)) as Buffer[];
      return keys.length === 0 ? [] : numbersIn(await client.send('MGET', ...keys));
    },
  },
  leased: {
    async write(client, prefix, n) {
      const found = (await client.send('RS.GET', `${prefix}lease${n}`, 'LEASE')) as RespValue[] | RespError;
      if (found instanceof RespError) return found;
      return client.send('RS.SET', `${prefix}lease${n}`, n, 'LEASE', found[6] as Buffer);
    },
    async read(client, prefix) {
      const keys = (await client.send('KEYS', `${prefix}lease*`)) as Buffer[];
      return keys.length === 0 ? [] : numbersIn(await client.send('MGET', ...keys));
    },
  },
};

/** What became of the numbers of one writer and kind. */
export class Fates {
  readonly prefix: string;
  readonly kind: Kind;
  readonly name: string;
  readonly acknowledged: number[] = [];
  readonly refused: number[] = [];
  tried = 0;
  /** Of the newest acknowledged write that tells one. */
  version = 0n;
  readonly regressions: string[] = [];

  constructor(prefix: string, name: string, kind: Kind) {
    [this.prefix, this.name, this.kind] = [prefix, name, kind];
  }

  note(n: number, reply: RespValue): void {
    if (reply instanceof RespError) {
      if (REFUSALS.has(reply.code)) this.refused.push(n);
      else if (reply.code !== 'UNKNOWN') this.regressions.push(`${this.name} ${n}: ${reply.message}`);
      return;
    }
    this.acknowledged.push(n);
    if (this.name !== 'fenced' && this.name !== 'tagged') return;
    const version = BigInt(String(reply));
    if (version <= this.version)
      this.regressions.push(`${this.name} ${n}: version ${version} after ${this.version}`);
    this.version = version;
  }

  /** How what a node holds contradicts what it said: one line for each. */
  async contradictions(client: RespClient): Promise<string[]> {
    const found = await this.kind.read(client, this.prefix);
    const present = new Set(found);
    const newest = Math.max(0, ...found);
    const isThere = (n: number) => present.has(n) || (this.kind.overwrites === true && newest > n);
    const who = `${this.prefix} ${this.name}`;
    const lost = this.acknowledged
      .filter((n) => !isThere(n))
      .map((n) => `${who}: ${n} was acknowledged and is lost`);
    const done = this.refused
      .filter((n) => present.has(n))
      .map((n) => `${who}: ${n} was refused and is there`);
    const twice = found.length > present.size ? [`${who}: a number is there twice`] : [];
    return [...this.regressions, ...lost, ...done, ...twice];
  }
}

/** The first few of them, over many fates. */
export async function contradictionsOf(fates: readonly Fates[], client: RespClient): Promise<string[]> {
  return (await Promise.all(fates.map((one) => one.contradictions(client)))).flat().slice(0, 10);
}

/** Writers that go on, each over a connection of its own to wherever `locate` says, until `stop`. */
export class TypedLoad {
  readonly fates: Fates[] = [];
  readonly #locate: () => Promise<string | null>;
  readonly #loops: Promise<void>[] = [];
  #isRunning = true;

  constructor(locate: () => Promise<string | null>) {
    this.#locate = locate;
  }

  start(writers: number, name: string, kinds: Readonly<Record<string, Kind>>): void {
    for (let i = 0; i < writers; i++) {
      const mine = Object.entries(kinds).map(([kind, how]) => new Fates(`${name}${i}:`, kind, how));
      this.fates.push(...mine);
      this.#loops.push(this.#loop(mine));
    }
  }

  async stop(): Promise<void> {
    this.#isRunning = false;
    await Promise.all(this.#loops);
  }

  /** How many writes each kind of each writer has acknowledged, at least. */
  get least(): number {
    return Math.min(...this.fates.map(({ acknowledged }) => acknowledged.length));
  }

  get acknowledged(): number {
    return this.fates.reduce((sum, { acknowledged }) => sum + acknowledged.length, 0);
  }

  async #loop(mine: readonly Fates[]): Promise<void> {
    let client: RespClient | null = null;
    for (let i = 0; this.#isRunning; i++) {
      const fates = mine[i % mine.length];
      const address: string | null = client === null || client.socket.destroyed ? await this.#locate() : null;
      if (address !== null) client = new RespClient(address);
      if (client !== null && !(await this.#write(client, fates))) client.close();
      await new Promise((done) => setTimeout(done, 1));
    }
    client?.close();
  }

  /** Whether the connection may be used on: one to a node that leads no more is given up. */
  async #write(client: RespClient, fates: Fates): Promise<boolean> {
    const n = ++fates.tried;
    const reply = await fates.kind.write(client, fates.prefix, n).catch(() => null);
    if (reply === null) return false;
    fates.note(n, reply);
    return !(reply instanceof RespError);
  }
}
