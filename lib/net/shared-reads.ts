import net from 'node:net';
import { getSystemErrorName } from 'node:util';
import { slabMemory } from '../base/index.ts';
import { type WriteWork, writeDirectly } from './direct-writes.ts';

/** As much as libuv reads at once by itself. */
const READ_BYTES = 64 * 1024;

/** What chunks that are kept are put together in; larger ones get memory of their own. */
const SLAB_BYTES = 128 * 1024;
const LARGE_BYTES = SLAB_BYTES / 4;

type Options = net.SocketConstructorOpts;

/**
 * A socket whose bytes are read into memory that all of its kind share, instead of 64 KiB of new memory for each read, most of which is
 * garbage a moment later. That garbage makes the collector run over the whole heap again and again, and costs a server whose
 * clients send many small requests a tenth of its processor time.
 *
 * Opened, or made of a connection that `net.Server` has accepted with `pauseOnConnect`. Node offers this way of reading (`onread`) to
 * sockets that connect; for accepted ones its constructor takes the same option together with the handle.
 */
export class SharedReadSocket extends net.Socket {
  static readonly #memory = Buffer.allocUnsafeSlow(READ_BYTES);
  #onRead: (memory: Buffer, length: number) => void = ignore;
  /** A write that the system has begun and not finished, and that this socket's stream is about to hear of. */
  #begun: WriteWork | null = null;

  /** Takes the place of `accepted`, which is of no more use; the server goes on to count it until this socket is closed. */
  static of(accepted: net.Socket): SharedReadSocket {
    const owner = accepted as unknown as { _handle: unknown };
    const handle = owner._handle;
    owner._handle = null;
    const socket = new SharedReadSocket({ handle, allowHalfOpen: accepted.allowHalfOpen } as Options);
    socket.once('close', () => accepted.destroy());
    return socket;
  }

  /** As `net.connect`. */
  static open(options: net.TcpNetConnectOpts): SharedReadSocket {
    return new SharedReadSocket(options).connect(options);
  }

  private constructor(options: Options) {
    const buffer = SharedReadSocket.#memory;
    const callback = (length: number): boolean => {
      this.#onRead(buffer, length);
      return true;
    };
    super({ ...options, onread: { buffer, callback } });
  }

  /** Gives what comes, the first `length` bytes of `memory`, to `listener`, which must be done with them, or have copied them, when it returns. */
  deliverTo(listener: (memory: Buffer, length: number) => void): void {
    this.#onRead = listener;
    this.resume();
  }

  /** As `write`, but bytes that nothing is ahead of go to the system at once, and those it takes are not counted in `bytesWritten`. */
  writeBytes(bytes: Buffer): boolean {
    const begun = writeDirectly(this, bytes);
    if (begun === null) return true;
    this.#begun = begun ?? null;
    return this.write(bytes);
  }

  override _write(chunk: unknown, encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    const begun = this.#begun;
    if (begun === null) {
      super._write(chunk, encoding, callback);
      return;
    }
    this.#begun = null;
    begun.oncomplete = (status) => callback(status < 0 ? writeError(status) : null);
  }
}

function writeError(status: number): Error {
  const code = getSystemErrorName(status);
  return Object.assign(new Error(`write ${code}`), { code, errno: status, syscall: 'write' });
}

/** As `socket.write`, past node's streams where that can be. For any socket. */
export function writeBytes(socket: net.Socket, bytes: Buffer): boolean {
  return socket instanceof SharedReadSocket ? socket.writeBytes(bytes) : socket.write(bytes);
}

/**
 * Reads from now on: each chunk goes to `listener`, and may be overwritten as soon as it returns. For any socket.
 * Pause and resume the socket as usual.
 */
export function readBytes(socket: net.Socket, listener: (bytes: Buffer) => void): void {
  if (socket instanceof SharedReadSocket)
    socket.deliverTo((memory, length) => listener(memory.subarray(0, length)));
  else socket.on('data', listener);
}

/** What came is `memory[start, end)`. */
export type RangeListener = (memory: Buffer, start: number, end: number) => void;

/**
 * As `readBytes`, and the bytes stay as they are: `listener` may keep views of them. What comes together over several sockets lies side by side in
 * one buffer, so that it can go on in one piece.
 */
export function readRanges(socket: net.Socket, listener: RangeListener): void {
  if (socket instanceof SharedReadSocket)
    socket.deliverTo((memory, length) => keep(memory, length, listener));
  else socket.on('data', (chunk: Buffer) => listener(chunk, 0, chunk.length));
}

let slab: Buffer = Buffer.alloc(0);
let used = 0;

/** Copies the bytes behind those that came before: for many small chunks that are forgotten soon. */
function keep(memory: Buffer, length: number, listener: RangeListener): void {
  if (length >= LARGE_BYTES) {
    const copy = slabMemory(length);
    memory.copy(copy, 0, 0, length);
    listener(copy, 0, length);
    return;
  }
  if (used + length > slab.length) {
    slab = slabMemory(SLAB_BYTES);
    used = 0;
  }
  const start = used;
  used += length;
  memory.copy(slab, start, 0, length);
  listener(slab, start, used);
}

function ignore(): void {}
