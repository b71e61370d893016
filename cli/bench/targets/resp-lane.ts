import type { Socket } from 'node:net';
import { RingsideError } from '../../../lib/base/index.ts';
import { encodeCommand, ReplyFramer, skipReply } from '../../../lib/codec/resp/index.ts';
import { GET, type Operation, SET } from '../operation.ts';
import { SocketLane } from './socket-lane.ts';

const MINUS = 0x2d;
const UNDERSCORE = 0x5f;
const LINE_FEED = 0x0a;

/** RESP 2: a node, a proxy, or a Redis. */
export class RespLane extends SocketLane {
  #framer = new ReplyFramer();

  protected override async greet(socket: Socket): Promise<void> {
    const { username, password } = this.target;
    if (password === undefined) return;
    socket.write(username ? encodeCommand('AUTH', username, password) : encodeCommand('AUTH', password));
    const answer = await new Promise<string>((resolve, reject) => {
      socket.once('data', (bytes) => resolve(bytes.toString('latin1')));
      socket.once('close', () =>
        reject(new RingsideError('unavailable', 'the target closed the connection')),
      );
    });
    socket.removeAllListeners('close');
    if (!answer.startsWith('+')) throw new RingsideError('unauthorized', answer.slice(1).trim());
  }

  protected override reset(): void {
    this.#framer = new ReplyFramer();
  }

  protected override write({ kind, key, keys, valueBytes }: Operation): void {
    if (kind === GET) {
      this.append(`*2\r\n$3\r\nGET\r\n$${key.length}\r\n${key}\r\n`);
    } else if (kind === SET) {
      this.append(`*3\r\n$3\r\nSET\r\n$${key.length}\r\n${key}\r\n$${valueBytes}\r\n`);
      this.appendValue(valueBytes);
      this.append('\r\n');
    } else {
      this.append(`*${keys!.length + 1}\r\n$4\r\nMGET\r\n`);
      for (const one of keys!) this.append(`$${one.length}\r\n${one}\r\n`);
    }
  }

  protected override receive(chunk: Buffer): void {
    const framer = this.#framer;
    framer.push(chunk);
    while (framer.next()) {
      const operation = this.take();
      if (!operation) throw new Error('an answer came that nobody asked for');
      const { buffer, frameStart, frameEnd, type } = framer;
      if (type === MINUS) this.failed(operation, buffer.latin1Slice(frameStart + 1, frameEnd - 2));
      else if (operation.kind === SET) this.answered(operation, 0);
      else if (operation.kind === GET) this.answered(operation, isNull(buffer, frameStart) ? 0 : 1);
      else this.answered(operation, countHits(buffer, frameStart, operation.keys!.length));
    }
  }
}

function isNull(buffer: Buffer, at: number): boolean {
  return buffer[at + 1] === MINUS || buffer[at] === UNDERSCORE;
}

function countHits(buffer: Buffer, start: number, elements: number): number {
  let at = buffer.indexOf(LINE_FEED, start) + 1;
  let hits = 0;
  for (let i = 0; i < elements; i++) {
    if (!isNull(buffer, at)) hits++;
    at = skipReply(buffer, at);
  }
  return hits;
}
