import net from 'node:net';
import { getSystemErrorName } from 'node:util';
import { readDirectly } from './direct-reads.ts';
import { writeDirectly, writePiecesDirectly } from './direct-writes.ts';
import { type RangeListener, ReadMemory } from './read-memory.ts';
import type { WriteWork } from './stream-internals.ts';

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
  readonly #memory: ReadMemory;
  #onRead: (memory: Buffer, length: number) => void = ignore;
  /** Where the system reads to. */
  readonly #current: () => Buffer;
  readonly #next: () => Buffer | undefined;
  #readsDirectly = false;
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
    const memory = new ReadMemory();
    // Node keeps to the memory it has when it gets none, which its types do not tell.
    let current: Buffer;
    const next = () => {
      const taken = memory.take();
      if (taken === null) return undefined;
      current = taken;
      return taken;
    };
    // Asked again for each address that is tried: then the memory is the same.
    const buffer = () => next() ?? current;
    const callback = (length: number, read: Uint8Array): boolean => {
      this.#onRead(read as Buffer, length);
      return true;
    };
    super({ ...options, onread: { buffer, callback } });
    this.#memory = memory;
    this.#current = () => current;
    this.#next = next;
  }

  /** Gives what comes, the first `length` bytes of `memory`, to `listener`, which must be done with them, or have copied them, when it returns. */
  deliverTo(listener: (memory: Buffer, length: number) => void): void {
    this.#onRead = listener;
    if (!this.#readsDirectly) {
      this.#readsDirectly = true;
      // Each address that is tried has a handle of its own.
      if (this.connecting) this.once('connect', () => this.#readPastStreams());
      else this.#readPastStreams();
    }
    this.resume();
  }

  #readPastStreams(): void {
    readDirectly(this, (length) => {
      this.#onRead(this.#current(), length);
      return this.#next();
    });
  }

  /** As `deliverTo`, for a listener that keeps what comes; `expectsMore` as in `readRanges`. */
  deliverRangesTo(listener: RangeListener, expectsMore: boolean): void {
    const memory = this.#memory;
    memory.mayExpect = expectsMore;
    this.deliverTo((bytes, length) => memory.deliver(bytes, length, listener));
  }

  /** As `write`, but bytes that nothing is ahead of go to the system at once, and those it takes are not counted in `bytesWritten`. */
  writeBytes(bytes: Buffer): boolean {
    const begun = writeDirectly(this, bytes);
    if (begun === null) return true;
    this.#begun = begun ?? null;
    return this.write(bytes);
  }

  /** As `writeBytes`, for all of `pieces` in one go. */
  writePieces(pieces: Buffer[]): boolean {
    const begun = writePiecesDirectly(this, pieces);
    if (begun === null) return true;
    this.#begun = begun ?? null;
    return writeCorked(this, pieces);
  }

  override _writev(
    chunks: { chunk: unknown; encoding: BufferEncoding }[],
    callback: (error?: Error | null) => void,
  ): void {
    if (!this.#hasBegun(callback)) super._writev!(chunks, callback);
  }

  override _write(chunk: unknown, encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    if (!this.#hasBegun(callback)) super._write(chunk, encoding, callback);
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    super._destroy(error, callback);
    this.#memory.close();
  }

  /** Whether the system has what the stream is about to write; `callback` hears of its end then. */
  #hasBegun(callback: (error?: Error | null) => void): boolean {
    const begun = this.#begun;
    if (begun === null) return false;
    this.#begun = null;
    begun.oncomplete = (status) => callback(status < 0 ? writeError(status) : null);
    return true;
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

/** As `writeBytes`, for several pieces in one go, none of them empty. */
export function writePieces(socket: net.Socket, pieces: Buffer[]): boolean {
  return socket instanceof SharedReadSocket ? socket.writePieces(pieces) : writeCorked(socket, pieces);
}

function writeCorked(socket: net.Socket, pieces: readonly Buffer[]): boolean {
  let flows = true;
  socket.cork();
  for (const piece of pieces) flows = socket.write(piece);
  socket.uncork();
  return flows;
}

/**
 * Reads from now on: what comes goes to `listener`, the first `length` bytes of `memory`, and may be overwritten as soon as it returns. For any
 * socket. Pause and resume the socket as usual.
 */
export function readBytes(socket: net.Socket, listener: (memory: Buffer, length: number) => void): void {
  if (socket instanceof SharedReadSocket) socket.deliverTo(listener);
  else socket.on('data', (chunk: Buffer) => listener(chunk, chunk.length));
}

/**
 * As `readBytes`, and the bytes stay as they are: `listener` may keep views of them. What comes together over several sockets lies side by side in
 * one buffer, so that it can go on in one piece.
 *
 * `expectsMore`: after something long another is likely, and `listener` gives back all of its first piece, too.
 */
export function readRanges(socket: net.Socket, listener: RangeListener, expectsMore = false): void {
  if (socket instanceof SharedReadSocket) socket.deliverRangesTo(listener, expectsMore);
  else socket.on('data', (chunk: Buffer) => void listener(chunk, 0, chunk.length));
}

function ignore(): void {}
