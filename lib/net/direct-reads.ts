import type net from 'node:net';
import { streamInternals } from './stream-internals.ts';

/** What a plain socket of node reads by. */
interface ReadHandle {
  /** Called for each read; what it returns, if anything, is where the next one goes. */
  onread: (this: ReadHandle, chunk: ArrayBuffer | undefined) => Uint8Array | undefined;
}

/**
 * Hears of each read past the layers of node's streams, which take as long as many a command itself. For a socket that reads into memory of its
 * owner (`onread`) and has no timeout. `read` has come to that memory when it is called with how many bytes, and returns other memory for the next one,
 * or undefined. Ends and errors go the usual way; so does everything where node does not offer this.
 */
export function readDirectly(socket: net.Socket, read: (length: number) => Uint8Array | undefined): void {
  const { _handle: handle } = socket as unknown as { readonly _handle: ReadHandle | null };
  if (streamInternals === null || typeof handle?.onread !== 'function') return;
  const { streamBaseState, kReadBytesOrError } = streamInternals;
  const usual = handle.onread;
  handle.onread = function onRead(chunk) {
    const length = streamBaseState[kReadBytesOrError];
    if (length <= 0 || socket.destroyed) return usual.call(this, chunk);
    return read(length);
  };
}
