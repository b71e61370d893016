import type net from 'node:net';
import { streamInternals, type WriteWork } from './stream-internals.ts';

/** What a plain socket of node writes by. */
interface WriteHandle {
  /** 0, or a negative number of an error of the system. */
  writeBuffer(work: WriteWork, bytes: Uint8Array): number;
  writev(work: WriteWork, pieces: Uint8Array[], areBuffers: true): number;
}

/** Of no use to the system once a write is over, and that is at once as a rule: the next write takes it again. */
let idle: WriteWork | null = null;

/**
 * Writes at once and past the layers of node's streams, which take as long as a small write itself: for a socket nothing waits at. Returns null when the
 * system has taken everything; else what is under way, of which `oncomplete` will be called with 0 or the number of an error; undefined
 * when the bytes have to go the usual way.
 */
export function writeDirectly(socket: net.Socket, bytes: Uint8Array): WriteWork | null | undefined {
  const handle = handleOf(socket);
  if (handle === null) return undefined;
  idle ??= new streamInternals!.WriteWrap();
  // The usual way meets the same error, and makes of it what it always does.
  return handle.writeBuffer(idle, bytes) === 0 ? begun(idle, bytes) : undefined;
}

/** As `writeDirectly`, for several pieces. */
export function writePiecesDirectly(socket: net.Socket, pieces: Uint8Array[]): WriteWork | null | undefined {
  const handle = handleOf(socket);
  if (handle === null) return undefined;
  idle ??= new streamInternals!.WriteWrap();
  return handle.writev(idle, pieces, true) === 0 ? begun(idle, pieces) : undefined;
}

/** Null when the bytes have to go the usual way. */
function handleOf(socket: net.Socket): WriteHandle | null {
  if (streamInternals === null || socket.connecting) return null;
  if (socket.writableLength > 0 || socket.writableEnded || socket.writableCorked > 0) return null;
  return (socket as unknown as { readonly _handle: WriteHandle | null })._handle;
}

/** `work` if the system has not taken everything at once. */
function begun(work: WriteWork, bytes: Uint8Array | Uint8Array[]): WriteWork | null {
  if (streamInternals!.streamBaseState[streamInternals!.kLastWriteWasAsync] === 0) return null;
  idle = null;
  work.buffer = bytes;
  return work;
}
