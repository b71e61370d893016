import type { Socket } from 'node:net';

/**
 * Bytes written to the socket that the system has not taken yet: less than before when the other side has read some. Within one long write too,
 * which `writableLength` counts whole until it is done; sockets find out for their own timeouts in this way.
 */
export function unsentBytes(socket: Socket): number {
  if (socket.writableLength === 0) return 0;
  const { _handle: handle } = socket as unknown as { _handle: { writeQueueSize?: number } | null };
  return handle?.writeQueueSize ?? socket.writableLength;
}
