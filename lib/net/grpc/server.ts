import type { Socket } from 'node:net';
import { type Server, ServerCredentials } from '@grpc/grpc-js';
import { createServer, type ListeningServer, type ListenOptions } from '../server.ts';

const PREFACE_TIMEOUT_MS = 10_000;
/** The client's preface and its first SETTINGS frame: RFC 9113, section 3.4. */
const PREFACE_BYTES = 24 + 9;

/**
 * Lets a gRPC server listen behind the same accept path as every listener: limits, mutual TLS with reload, and the check of the
 * client's names come before HTTP/2 sees a byte. Use it in place of `bindAsync`.
 *
 * `close(graceMs)` stops accepting, asks clients to go (GOAWAY), lets calls under way finish within the grace, then cuts.
 * Rejects as `createServer` does.
 */
export async function listenGrpc(server: Server, options: ListenOptions): Promise<ListeningServer> {
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  const prefaceTimeoutMs = options.handshakeTimeoutMs ?? PREFACE_TIMEOUT_MS;
  const listening = await createServer({ ...options, alpn: ['h2'] }, (socket) => {
    cutIfSilent(socket, prefaceTimeoutMs);
    injector.injectConnection(socket);
  });
  return {
    name: listening.name,
    host: listening.host,
    port: listening.port,
    address: listening.address,
    get connections() {
      return listening.connections;
    },
    async close(graceMs = 0) {
      injector.destroy();
      await listening.close(graceMs);
      server.forceShutdown();
    },
  };
}

/** An HTTP/2 session has no deadline for its first bytes: who opens connections and says nothing would hold them all. */
function cutIfSilent(socket: Socket, timeoutMs: number): void {
  const before = socket.bytesRead;
  const timer = setTimeout(() => {
    if (socket.bytesRead - before < PREFACE_BYTES) socket.destroy();
  }, timeoutMs);
  socket.once('close', () => clearTimeout(timer));
}
