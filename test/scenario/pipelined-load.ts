import { decodeReply, encodeCommand, RespError, type RespValue } from '../../lib/codec/resp/index.ts';
import { RespClient } from '../support/resp-client.ts';
import { until } from '../support/until.ts';

/** One key of one connection. Its values are `name:number`, with numbers that grow by one. */
interface Key {
  readonly name: string;
  tried: number;
  confirmed: number;
}

/** What a pipeline asked, in order. */
interface Asked {
  readonly kind: 'SET' | 'GET' | 'ECHO';
  readonly key: Key;
  readonly number: number;
}

/**
 * Connections that each keep one pipeline of SET, GET and ECHO under way without a pause. Every reply says to which command it belongs: a
 * value names its key, an echo its number; so nothing can be mixed up or out of order unseen.
 */
export class PipelinedLoad {
  readonly errors = { reads: new Map<string, number>(), writes: new Map<string, number>() };
  /** Replies that belong elsewhere, and values older than before the load. */
  readonly disorders: string[] = [];
  commands = 0;
  pipelines = 0;
  readonly #address: string;
  readonly #depth: number;
  readonly #followers: number;
  readonly #keys: readonly (readonly Key[])[];
  #isRunning = false;
  #loops: Promise<void>[] = [];
  #number = 0;

  /** `depth`: commands of one pipeline; `followers`: of each shard. */
  constructor(address: string, { connections = 8, depth = 48, keys = 40, followers = 1 } = {}) {
    this.#address = address;
    this.#depth = depth;
    this.#followers = followers;
    this.#keys = Array.from({ length: connections }, (_, c) =>
      Array.from({ length: keys }, (_, k) => ({ name: `load:${c}:${k}`, tried: 0, confirmed: 0 })),
    );
  }

  /** Starts; every node has each key before anything else, so that no read may miss, whoever answers it. */
  async start(): Promise<void> {
    this.#isRunning = true;
    const opened = this.#keys.map(async (keys) => {
      const client = new RespClient(this.#address);
      for (const key of keys) {
        await until('it is written', () => client.text('SET', key.name, `${key.name}:${++key.tried}`));
        key.confirmed = key.tried;
      }
      await until('every follower has them', async () => {
        return Number(await client.send('WAIT', this.#followers, 1000)) >= this.#followers;
      });
      this.#loops.push(this.#loop(client, keys));
    });
    await Promise.all(opened);
  }

  async stop(): Promise<void> {
    this.#isRunning = false;
    await Promise.all(this.#loops.splice(0));
  }

  /** Keys whose value, read through `address`, is older than what was confirmed before. */
  async lost(address: string): Promise<string[]> {
    const client = new RespClient(address);
    const confirmed = this.#keys.flat().map((key) => ({ ...key }));
    const values = await Promise.all(confirmed.map(({ name }) => client.text('GET', name)));
    client.close();
    return confirmed.flatMap((key, i) =>
      numberIn(values[i], key.name) < key.confirmed ? `${key.name}: ${values[i]} < ${key.confirmed}` : [],
    );
  }

  async #loop(client: RespClient, keys: readonly Key[]): Promise<void> {
    for (let at = 0; this.#isRunning; at += 2) {
      const asked: Asked[] = [];
      for (let i = 0; asked.length < this.#depth; i++) {
        const key = keys[(at + i) % keys.length];
        asked.push({ kind: 'SET', key, number: ++key.tried });
        asked.push({ kind: 'GET', key: keys[(at + i * 7) % keys.length], number: 0 });
        asked.push({ kind: 'ECHO', key, number: ++this.#number });
      }
      try {
        await this.#exchange(client, asked);
      } catch (error) {
        count(this.errors.reads, (error as Error).message);
        client.close();
        client = new RespClient(this.#address);
      }
    }
    client.close();
  }

  /** Resolves once every reply is in; rejects when the connection ends before. */
  #exchange(client: RespClient, asked: readonly Asked[]): Promise<void> {
    const { socket } = client;
    if (socket.destroyed) return Promise.reject(new Error('connection closed'));
    return new Promise((resolve, reject) => {
      const ended = () => reject(new Error('connection closed'));
      socket.once('close', ended);
      let answered = 0;
      client.readFrames((buffer, start, end) => {
        this.#check(asked[answered++], decodeReply(buffer, start, end));
        if (answered < asked.length) return;
        socket.off('close', ended);
        this.pipelines++;
        resolve();
      });
      socket.write(Buffer.concat(asked.map(frameOf)));
    });
  }

  #check({ kind, key, number }: Asked, reply: RespValue): void {
    this.commands++;
    if (reply instanceof RespError) {
      count(kind === 'SET' ? this.errors.writes : this.errors.reads, reply.message);
    } else if (kind === 'SET') {
      if (reply === 'OK') key.confirmed = Math.max(key.confirmed, number);
      else this.disorders.push(`SET ${key.name}: ${reply}`);
    } else if (kind === 'ECHO') {
      if (Number(reply) !== number) this.disorders.push(`ECHO ${number}: ${reply}`);
    } else {
      const found = numberIn(reply, key.name);
      if (!(found >= 1 && found <= key.tried)) this.disorders.push(`GET ${key.name}: ${reply}`);
    }
  }
}

function frameOf({ kind, key, number }: Asked): Buffer {
  if (kind === 'SET') return encodeCommand('SET', key.name, `${key.name}:${number}`);
  return kind === 'GET' ? encodeCommand('GET', key.name) : encodeCommand('ECHO', number);
}

/** The number of a value of this key; 0 when it is none. */
function numberIn(value: RespValue, name: string): number {
  const text = String(value);
  return text.startsWith(`${name}:`) ? Number(text.slice(name.length + 1)) : 0;
}

function count(map: Map<string, number>, text: string): void {
  map.set(text, (map.get(text) ?? 0) + 1);
}
