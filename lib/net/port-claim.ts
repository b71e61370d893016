import net from 'node:net';
import { errorCode, listenError } from './node-error.ts';
import { holdFreePort, type ListenOptions, probePort } from './server.ts';

/** A port that is this process's, though several of its threads are going to bind it. */
export interface PortClaim {
  readonly port: number;
  /** The threads listen: what has kept the port until then goes. */
  listened(): void;
  /** Lets others have it. What listens there goes on to. */
  release(): void;
}

/**
 * Claims a port for listeners that share it (`reusePort`). A second process that did the same would get a part of the connections in
 * silence, so the port is bound exclusively for a moment; and since two processes might do that one behind the other before either listens,
 * a lock is held for the address beside it.
 *
 * The lock is an abstract unix socket: taking it is atomic, it is of the network namespace like the port, and the kernel gives it up with the
 * process, however that ends. Only Linux has them; elsewhere the port is bound for a moment and no more. Rejects with RingsideError
 * `port_in_use`.
 */
export async function claimPort(where: Pick<ListenOptions, 'host' | 'port' | 'setting'>): Promise<PortClaim> {
  if (where.port === 0) return claimFreePort(where);
  const held = await lock(where, where.port);
  try {
    return { port: await probePort(where), listened: () => {}, release: () => held.close() };
  } catch (error) {
    held.close();
    throw error;
  }
}

/** Bound for a moment and no more, a free port might be the one of somebody's connection by the time when the threads bind it. */
async function claimFreePort(where: Pick<ListenOptions, 'host' | 'setting'>): Promise<PortClaim> {
  const server = await holdFreePort(where);
  const { port } = server.address() as net.AddressInfo;
  const listened = () => void server.close();
  try {
    const held = await lock(where, port);
    const release = () => {
      listened();
      held.close();
    };
    return { port, listened, release };
  } catch (error) {
    listened();
    throw error;
  }
}

function lock(where: Pick<ListenOptions, 'host' | 'setting'>, port: number): Promise<net.Server> {
  const server = net.createServer((socket) => socket.destroy());
  if (process.platform !== 'linux') return Promise.resolve(server);
  return new Promise((resolve, reject) => {
    server.once('error', (error) => {
      reject(errorCode(error) === 'EADDRINUSE' ? listenError(error, { ...where, port }) : error);
    });
    server.listen({ path: `\0ringside ${where.host} ${port}` }, () => {
      server.unref();
      resolve(server);
    });
  });
}
