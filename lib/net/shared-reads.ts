import net from 'node:net';
import { slabMemory } from '../base/index.ts';

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
  #onBytes: (bytes: Buffer) => void = ignore;

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
      this.#onBytes(buffer.subarray(0, length));
      return true;
    };
    super({ ...options, onread: { buffer, callback } });
  }

  /** Gives what comes to `listener`, which must be done with the bytes, or have copied them, when it returns. */
  deliverTo(listener: (bytes: Buffer) => void): void {
    this.#onBytes = listener;
    this.resume();
  }
}

/**
 * Reads from now on: each chunk goes to `listener`, and may be overwritten as soon as it returns. For any socket.
 * Pause and resume the socket as usual.
 */
export function readBytes(socket: net.Socket, listener: (bytes: Buffer) => void): void {
  if (socket instanceof SharedReadSocket) socket.deliverTo(listener);
  else socket.on('data', listener);
}

/** As `readBytes`, and the chunks stay as they are: `listener` may keep views of them. */
export function readChunks(socket: net.Socket, listener: (chunk: Buffer) => void): void {
  readBytes(socket, socket instanceof SharedReadSocket ? (bytes) => listener(kept(bytes)) : listener);
}

let slab: Buffer = Buffer.alloc(0);
let used = 0;

/** A copy that shares its memory with its neighbours in time: for many small chunks that are forgotten soon. */
function kept(bytes: Buffer): Buffer {
  const { length } = bytes;
  if (length >= LARGE_BYTES) return copyOf(bytes);
  if (used + length > slab.length) {
    slab = slabMemory(SLAB_BYTES);
    used = 0;
  }
  const start = used;
  used += length;
  bytes.copy(slab, start);
  return slab.subarray(start, used);
}

function copyOf(bytes: Buffer): Buffer {
  const copy = slabMemory(bytes.length);
  bytes.copy(copy);
  return copy;
}

function ignore(): void {}
