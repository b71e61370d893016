import { once } from 'node:events';
import net from 'node:net';
import type { Test } from 'tap';
import { RdbFileWriter } from '../../lib/codec/rdb/index.ts';
import { encodeCommand, RequestParser } from '../../lib/codec/resp/index.ts';
import { until } from './until.ts';

const LIMITS = { maxBulkBytes: 1e6, maxArrayLength: 100, maxInlineBytes: 100, maxBufferedBytes: 1e7 };
const MARK = 'm'.repeat(40);

/** One link of a follower, whose handshake has been answered up to PSYNC. */
export class ScriptedLink {
  readonly socket: net.Socket;
  /** What the follower asks for: the stream it has (`?` for none) and how many bytes of it. */
  replId = '';
  offset = -1;
  /** The id it goes by. */
  id = '';
  /** What it has said since: commands, with spaces between. */
  readonly heard: string[] = [];
  readonly #parser = new RequestParser(LIMITS);

  constructor(socket: net.Socket, onAsked: (link: ScriptedLink) => void) {
    this.socket = socket;
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      this.#parser.push(chunk);
      while (this.#parser.next()) this.#take(this.#parser, onAsked);
    });
  }

  #take(parser: RequestParser, onAsked: (link: ScriptedLink) => void): void {
    if (this.replId !== '') {
      this.heard.push(Array.from({ length: parser.count }, (_, i) => parser.latin1(i)).join(' '));
      return;
    }
    if (!parser.equalsIgnoreCase(0, 'PSYNC')) {
      if (parser.count === 5) this.id = parser.latin1(4);
      this.socket.write(parser.equalsIgnoreCase(0, 'PING') ? '+PONG\r\n' : '+OK\r\n');
      return;
    }
    this.replId = parser.latin1(1);
    this.offset = Math.max(0, Number(parser.latin1(2)) - 1);
    onAsked(this);
  }

  /** Gives it an empty data set as that of the stream at `offset`, and says that it is level. */
  async syncEmpty(replId: string, offset: number): Promise<void> {
    const snapshot = new RdbFileWriter({ compresses: false }).finish();
    this.beginFullSync(replId, offset, snapshot);
    this.socket.write(MARK);
    await until('the follower has loaded it', () => this.heard.includes(`REPLCONF ACK ${offset}`));
    this.socket.write(levelFrame(this.id));
  }

  /** Begins a full sync with some bytes of a snapshot. */
  beginFullSync(replId: string, offset: number, snapshot: Buffer): void {
    this.socket.write(`+FULLRESYNC ${replId} ${offset}\r\n$EOF:${MARK}\r\n`);
    this.socket.write(snapshot);
  }
}

/** What tells the follower of this id that it is level; part of the stream. */
export function levelFrame(id: string): Buffer {
  return encodeCommand('PUBLISH', '__ringside', encodeCommand('RS.LEVEL', id));
}

/** A leader made of text: a node that answers the handshake of whoever connects, and says what the test tells it to from there on. */
export class ScriptedLeader {
  readonly #server: net.Server;
  readonly links: ScriptedLink[] = [];
  #taken = 0;

  private constructor(server: net.Server) {
    this.#server = server;
  }

  static async start(t: Test): Promise<ScriptedLeader> {
    const server = net.createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const leader = new ScriptedLeader(server);
    const sockets = new Set<net.Socket>();
    server.on('connection', (socket: net.Socket) => {
      sockets.add(socket);
      new ScriptedLink(socket, (link) => leader.links.push(link));
    });
    t.teardown(() => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    return leader;
  }

  get port(): number {
    return (this.#server.address() as net.AddressInfo).port;
  }

  /** The newest link that asks for the stream and has not been taken. */
  async next(): Promise<ScriptedLink> {
    await until('a follower asks for the stream', () => this.links.length > this.#taken);
    this.#taken = this.links.length;
    return this.links.at(-1)!;
  }
}
