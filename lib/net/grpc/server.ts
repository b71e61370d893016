import { type Server, ServerCredentials } from '@grpc/grpc-js';
import { createServer, type ListeningServer, type ListenOptions } from '../server.ts';

/**
 * Lets a gRPC server listen behind the same accept path as every listener: limits, mutual TLS with reload, and the check of the
 * client's names come before HTTP/2 sees a byte. Use it in place of `bindAsync`.
 *
 * `close(graceMs)` stops accepting, asks clients to go (GOAWAY), lets calls under way finish within the grace, then cuts.
 * Rejects as `createServer` does.
 */
export async function listenGrpc(server: Server, options: ListenOptions): Promise<ListeningServer> {
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  const listening = await createServer({ ...options, allowHalfOpen: true, alpn: ['h2'] }, (socket) => {
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
