import net from 'node:net';
import { RequestParser, RespWriter } from '../../lib/codec/resp/index.ts';
import { freePort } from './ports.ts';

const LIMITS = {
  maxBulkBytes: 2 ** 29,
  maxArrayLength: 2 ** 20,
  maxInlineBytes: 65_536,
  maxBufferedBytes: 2 ** 30,
};

/** A command as a fake node received it. */
export interface Received {
  readonly name: string;
  readonly args: readonly string[];
  /** Number of the connection it came on, from 1. */
  readonly connection: number;
}

/** What a fake node does instead of executing a command: says nothing, closes the connection, or answers these bytes. */
export type Refusal = 'silent' | 'close' | string;

/**
 * A node of a few commands over a Map, in the process of the test, which can be told to misbehave exactly as a test needs it.
 */
export class FakeNode {
  readonly store = new Map<string, Buffer>();
  readonly received: Received[] = [];
  /** Asked before each command but the greeting's; undefined: execute it. */
  refuse: (command: Received) => Refusal | undefined = () => undefined;
  /** Answers nothing at all, not even a greeting, as a stopped process. */
  isFrozen = false;
  /** What WAIT answers. */
  replicas = 0;
  readonly #sockets = new Set<net.Socket>();
  readonly #server = net.createServer((socket) => this.#accept(socket));
  #connections = 0;
  address = '';

  /** `port`: where another one was. */
  static async start(port?: number): Promise<FakeNode> {
    const node = new FakeNode();
    const at = port ?? (await freePort());
    await new Promise<void>((resolve, reject) => {
      node.#server.once('error', reject).listen(at, '127.0.0.1', resolve);
    });
    node.address = `127.0.0.1:${at}`;
    return node;
  }

  get port(): number {
    return Number(this.address.split(':')[1]);
  }

  /** Connections open now. */
  get connections(): number {
    return this.#sockets.size;
  }

  /** Names of the commands received, without the greeting's. */
  get names(): string[] {
    return this.received.map(({ name }) => name).filter((name) => name !== 'PING' && name !== 'HELLO');
  }

  /** Says something unasked, or late, on every connection. */
  say(bytes: string): void {
    for (const socket of this.#sockets) socket.write(bytes);
  }

  /** Cuts every connection, and goes on listening. */
  cut(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  /** Dies: nothing listens any more. */
  async stop(): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #accept(socket: net.Socket): void {
    this.#sockets.add(socket);
    const connection = ++this.#connections;
    const parser = new RequestParser(LIMITS);
    const writer = new RespWriter();
    socket.on('error', () => {});
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('data', (chunk) => {
      parser.push(chunk);
      while (parser.next()) {
        const parts = Array.from({ length: parser.count }, (_, i) => parser.latin1(i));
        const command = { name: parts[0].toUpperCase(), args: parts.slice(1), connection };
        this.received.push(command);
        if (!this.isFrozen) this.#answer(command, parser, writer, socket);
      }
      if (writer.length > 0 && !socket.destroyed) socket.write(Buffer.from(writer.take()));
    });
  }

  #answer(command: Received, parser: RequestParser, writer: RespWriter, socket: net.Socket): void {
    const isGreeting = ['PING', 'HELLO', 'AUTH'].includes(command.name);
    const refusal = isGreeting ? undefined : this.refuse(command);
    if (refusal === undefined) this.#execute(command, parser, writer);
    else if (refusal === 'close') socket.resetAndDestroy();
    else if (refusal !== 'silent') writer.raw(Buffer.from(refusal), 0, refusal.length);
  }

  #execute({ name, args }: Received, parser: RequestParser, writer: RespWriter): void {
    const bulk = (value: Buffer | undefined) => {
      if (value) writer.bulk(value);
      else writer.nullBulk();
    };
    const values = () => {
      writer.arrayHeader(args.length);
      for (const key of args) bulk(this.store.get(key));
    };
    const run: Record<string, () => void> = {
      PING: () => writer.simple('PONG'),
      HELLO: () => {
        writer.protocol = args[0] === '3' ? 3 : 2;
        writer.mapHeader(0);
      },
      GET: () => bulk(this.store.get(args[0])),
      SET: () => {
        this.store.set(args[0], parser.copy(2));
        writer.ok();
      },
      MGET: values,
      'RS.MCGET': values,
      'RS.MGET': () => {
        writer.arrayHeader(args.length);
        for (const key of args) {
          writer.arrayHeader(4);
          bulk(this.store.get(key));
          writer.bulkLatin1('7');
          writer.integer(this.store.has(key) ? -1 : -2);
          writer.bulkLatin1(this.store.has(key) ? 'hit' : 'miss');
        }
      },
      MSET: () => {
        for (let i = 0; i < args.length; i += 2) this.store.set(args[i], parser.copy(i + 2));
        writer.ok();
      },
      DEL: () => writer.integer(args.filter((key) => this.store.delete(key)).length),
      EXISTS: () => writer.integer(args.filter((key) => this.store.has(key)).length),
      PTTL: () => writer.integer(this.store.has(args[0]) ? -1 : -2),
      INCRBY: () => {
        const sum = BigInt(this.store.get(args[0])?.toString() ?? '0') + BigInt(args[1]);
        this.store.set(args[0], Buffer.from(String(sum)));
        writer.integer(sum);
      },
      DBSIZE: () => writer.integer(this.store.size),
      KEYS: () => {
        writer.arrayHeader(this.store.size);
        for (const key of this.store.keys()) writer.bulkLatin1(key);
      },
      SCAN: () => {
        // Two steps: half of the keys with cursor 7, the rest with cursor 0.
        const keys = [...this.store.keys()];
        const half = Math.ceil(keys.length / 2);
        const isFirst = args[0] === '0';
        writer.arrayHeader(2);
        writer.bulkLatin1(isFirst && half < keys.length ? '7' : '0');
        const found = isFirst ? keys.slice(0, half) : keys.slice(half);
        writer.arrayHeader(found.length);
        for (const key of found) writer.bulkLatin1(key);
      },
      RANDOMKEY: () => bulk(this.store.size > 0 ? Buffer.from([...this.store.keys()][0]) : undefined),
      FLUSHALL: () => {
        this.store.clear();
        writer.ok();
      },
      WAIT: () => writer.integer(this.replicas),
    };
    (run[name] ?? (() => writer.ok()))();
  }
}
