import { setTimeout as delay } from 'node:timers/promises';
import { decodeReply, encodeCommand, RespPush, type RespValue } from '../../lib/codec/resp/index.ts';
import { RespClient } from './resp-client.ts';
import { until } from './until.ts';

/** A RESP connection of which a test wants to see every frame, replies and messages alike, in the order in which they came. */
export class FrameClient {
  readonly #client: RespClient;
  /** Everything that has come, as it came, one character a byte. */
  raw = '';
  /** The same, decoded. */
  readonly frames: RespValue[] = [];
  isClosed = false;
  #waiting: (() => void)[] = [];

  constructor(address: string) {
    this.#client = new RespClient(address);
    this.#client.readFrames(
      (buffer, start, end) => {
        this.raw += buffer.latin1Slice(start, end);
        this.frames.push(decodeReply(buffer, start, end));
      },
      () => this.#arrived(),
    );
    this.#client.socket.on('close', () => {
      this.isClosed = true;
    });
  }

  get socket() {
    return this.#client.socket;
  }

  say(...parts: (string | Buffer)[]): void {
    this.#client.socket.write(encodeCommand(...parts));
  }

  /** Says it, and resolves with the frames up to the `count`-th from now on, as JSON would show them. */
  async ask(count: number, ...parts: (string | Buffer)[]): Promise<unknown[]> {
    const from = this.frames.length;
    this.say(...parts);
    return this.next(count, from);
  }

  /** The `count` frames behind the first `from`; by default those that have not been asked for yet. */
  async next(count: number, from = this.frames.length): Promise<unknown[]> {
    await this.#until(`${count} frames behind ${from} come`, () => this.frames.length >= from + count);
    return this.frames.slice(from, from + count).map(shown);
  }

  /** Resolves once these bytes have come `times` times. */
  async sees(bytes: string, times = 1): Promise<void> {
    const what = `${JSON.stringify(bytes)} has come ${times} times`;
    await this.#until(what, () => this.raw.split(bytes).length > times);
  }

  /** Without a poll where it comes soon. */
  async #until(what: string, condition: () => boolean): Promise<void> {
    for (let tries = 0; tries < 20 && !condition(); tries++) {
      await Promise.race([new Promise<void>((resolve) => this.#waiting.push(resolve)), delay(50)]);
    }
    await until(what, condition);
  }

  #arrived(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  close(): void {
    this.#client.close();
  }
}

/** Texts for bytes, arrays for whatever has elements. */
export function shown(value: RespValue): unknown {
  if (Buffer.isBuffer(value)) return value.latin1Slice();
  if (value instanceof Error) return `-${value.message}`;
  if (value instanceof Map) return [...value].map(([key, one]) => [shown(key), shown(one)]);
  if (value instanceof Set) return [...value].map(shown);
  if (Array.isArray(value)) return value.map(shown);
  if (value instanceof RespPush) return value.items.map(shown);
  return value;
}
