import { once } from 'node:events';
import net from 'node:net';
import type { Test } from 'tap';
import { ReplyFramer } from '../../lib/codec/resp/index.ts';

const PUSH = 0x3e;

/** Listens in front of a node, and lets everything through but what the node says unasked; its address. Ends with the test. */
export async function startMuteRelay(t: Test, target: string): Promise<string> {
  const [host, port] = target.split(':');
  const sockets = new Set<net.Socket>();
  const server = net.createServer((client) => {
    const node = net.connect(Number(port), host);
    const framer = new ReplyFramer();
    client.pipe(node);
    node.on('data', (chunk: Buffer) => {
      framer.push(chunk);
      while (framer.next())
        if (framer.type !== PUSH)
          client.write(Buffer.from(framer.buffer.subarray(framer.frameStart, framer.frameEnd)));
    });
    for (const [one, other] of [
      [client, node],
      [node, client],
    ]) {
      sockets.add(one);
      one.on('error', () => {});
      one.on('close', () => other.destroy());
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return `127.0.0.1:${(server.address() as net.AddressInfo).port}`;
}
