import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/*
 * An HTTP origin as a process of its own: `GET /fill/{key}` answers as it was told last, and everything is counted. `PUT /control` (JSON) tells it;
 * `GET /control` answers what it has seen. Prints `ready PORT`.
 */

let behaviour = {
  holdsHalf: false,
  status: 200,
  headers: {},
  body: 'made',
  bytes: 0,
  delayMs: 0,
  isHeld: false,
};
let asked: string[] = [];
let most = 0;
let present = 0;
const held: (() => void)[] = [];

function answer(response: ServerResponse, key: string): void {
  const { status, headers, body, bytes } = behaviour;
  present--;
  const value = bytes > 0 ? Buffer.alloc(bytes, body) : Buffer.from(`${body} ${key}`);
  response.writeHead(status, { 'content-length': value.length, ...headers });
  if (!behaviour.holdsHalf) return void response.end(value);
  response.write(value.subarray(0, value.length / 2));
  held.push(() => response.end(value.subarray(value.length / 2)));
}

const server = createServer(async (request, response) => {
  if (request.url !== '/control') {
    const key = decodeURIComponent(request.url!.slice('/fill/'.length));
    asked.push(key);
    most = Math.max(most, ++present);
    if (behaviour.isHeld) await new Promise<void>((resolve) => held.push(resolve));
    setTimeout(() => answer(response, key), behaviour.delayMs);
    return;
  }
  if (request.method === 'PUT') {
    let text = '';
    for await (const chunk of request) text += chunk;
    const { isForgotten = false, ...told } = JSON.parse(text);
    behaviour = { ...behaviour, ...told };
    if (isForgotten) {
      asked = [];
      most = 0;
    }
    if (!behaviour.isHeld && !behaviour.holdsHalf) for (const go of held.splice(0)) go();
  }
  response.end(JSON.stringify({ asked, most, present }));
});
server.listen(Number(process.argv[2] ?? 0), '127.0.0.1', () =>
  process.stdout.write(`ready ${(server.address() as AddressInfo).port}\n`),
);
