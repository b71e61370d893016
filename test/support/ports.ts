import { once } from 'node:events';
import net from 'node:net';

/**
 * Ports below those that the kernel gives away by itself (`ip_local_port_range`), to who listens on any port and to connections alike: what
 * was let go there is still free a moment later.
 */
const [FIRST, COUNT] = [10_000, 20_000];
/** `freeOffset` in dev-cluster.ts takes its ports out of the same range: so many of each step. */
const DEV_STEP = { from: 9300, length: 700, taken: 400 };

let next = (process.pid * 97) % COUNT;

/**
 * A port for programs that cannot choose one themselves, and for servers that come back at the address they had. No other process of the tests
 * is given it while this one runs.
 */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < COUNT; tries++) {
    next = (next + 1) % COUNT;
    const port = FIRST + next;
    if ((port - DEV_STEP.from) % DEV_STEP.length < DEV_STEP.taken) continue;
    if ((await claim(`port ${port}`)) && (await isFree(port))) return port;
  }
  throw new Error('no free port found');
}

/**
 * Whether `name` is this process's from now on, until it ends. The claim is an abstract unix socket, which the kernel gives up with the process;
 * only Linux has them, elsewhere everybody is told yes.
 */
export async function claim(name: string): Promise<boolean> {
  if (process.platform !== 'linux') return true;
  return new Promise((resolve) => {
    const server = net.createServer().once('error', () => resolve(false));
    server.listen({ path: `\0ringside tests ${name}` }, () => {
      server.unref();
      resolve(true);
    });
  });
}

/** Whether nobody listens there. */
export async function isFree(port: number): Promise<boolean> {
  const server = net.createServer();
  server.listen(port, '127.0.0.1');
  try {
    await once(server, 'listening');
  } catch {
    return false;
  }
  server.close();
  await once(server, 'close');
  return true;
}
