import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import { Worker } from 'node:worker_threads';
import type { Delays, Server } from './peers.ts';

const COMMANDS_PER_WRITE = 100;
/** Writes that are on their way at a time, on one connection each. */
const CONNECTIONS = 4;
const OK_BYTES = 5;

/** What to write: keys of 16 bytes that count up, values of `valueBytes`, or of what that says of the number of the entry. */
export interface Fill {
  readonly first: number;
  readonly entries: number;
  readonly valueBytes: number | ((entry: number) => number);
  /** Milliseconds each entry lives, from its number; without it, for ever. */
  readonly ttlMs?: (entry: number) => number;
}

/** Resident bytes of a process. */
export function residentBytes(pid: number): number {
  const line = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))!;
  return Number(line[1]) * 1024;
}

/** Commands, and how many bytes their replies take. */
export interface Chunk {
  readonly bytes: Buffer;
  readonly replyBytes: number;
}

/** Sends `SET`s as fast as they are answered; resolves with commands per second. Rejects at the first reply that is not OK. */
export async function fill(port: number, load: Fill): Promise<number> {
  return fillWith(port, load.first, load.entries, (from, to) => ({
    bytes: setCommands(from, to, load),
    replyBytes: (to - from) * OK_BYTES,
  }));
}

/** As `fill`, with other commands: `chunkOf` gives those for the entries from one number up to another. */
export async function fillWith(
  port: number,
  first: number,
  entries: number,
  chunkOf: (from: number, to: number) => Chunk,
): Promise<number> {
  const startedMs = performance.now();
  let next = first;
  const end = first + entries;
  const takeChunk = (): Chunk | null => {
    if (next === end) return null;
    const from = next;
    next = Math.min(end, from + COMMANDS_PER_WRITE);
    return chunkOf(from, next);
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, () => sendAll(port, takeChunk)));
  return entries / ((performance.now() - startedMs) / 1000);
}

async function sendAll(port: number, takeChunk: () => Chunk | null): Promise<void> {
  const socket = net.connect(port, '127.0.0.1');
  await once(socket, 'connect');
  await new Promise<void>((done, fail) => {
    let missing = 0;
    const send = () => {
      const chunk = takeChunk();
      if (chunk === null) {
        done();
        return;
      }
      missing = chunk.replyBytes;
      socket.write(chunk.bytes);
    };
    socket.on('data', (data) => {
      if (data.includes('-')) fail(new Error(`refused: ${data.toString('latin1')}`));
      missing -= data.length;
      if (missing === 0) send();
    });
    socket.once('error', fail);
    send();
  });
  socket.destroy();
}

function setCommands(from: number, to: number, { valueBytes, ttlMs }: Fill): Buffer {
  const bulkOf = (bytes: number) => `$${bytes}\r\n${'x'.repeat(bytes)}\r\n`;
  let value = typeof valueBytes === 'number' ? bulkOf(valueBytes) : '';
  let text = '';
  for (let entry = from; entry < to; entry++) {
    if (typeof valueBytes !== 'number') value = bulkOf(valueBytes(entry));
    const key = `key:${String(entry).padStart(12, '0')}`;
    text += `*${ttlMs ? 5 : 3}\r\n$3\r\nSET\r\n$16\r\n${key}\r\n${value}`;
    if (ttlMs) {
      const ttl = String(Math.round(ttlMs(entry)));
      text += `$2\r\nPX\r\n$${ttl.length}\r\n${ttl}\r\n`;
    }
  }
  return Buffer.from(text, 'latin1');
}

/** One command, one reply of one line. */
export async function ask(port: number, ...command: string[]): Promise<string> {
  const socket = net.connect(port, '127.0.0.1');
  socket.write(`*${command.length}\r\n${command.map((part) => `$${part.length}\r\n${part}\r\n`).join('')}`);
  const [data] = (await once(socket, 'data')) as [Buffer];
  socket.destroy();
  return data.toString('latin1').trim();
}

/** What a client sees that only sends PING while a load runs; and how late the event loop of a node was meanwhile, where it says so. */
export interface Pauses extends Delays {
  readonly loop?: Delays;
}

/** Measures how long a server keeps a PING waiting while `load` runs. */
export async function pausesDuring(server: Server, load: () => Promise<unknown>): Promise<Pauses> {
  const worker = new Worker(new URL('./ping-worker.ts', import.meta.url), { workerData: server.port });
  await once(worker, 'online');
  await server.loopDelay?.();
  await load();
  const loop = await server.loopDelay?.();
  worker.postMessage('report');
  const [times] = (await once(worker, 'message')) as [number[]];
  worker.postMessage('end');
  await once(worker, 'exit');
  times.sort((a, b) => a - b);
  const at = (part: number) =>
    Number((times[Math.min(times.length - 1, Math.floor(times.length * part))] ?? 0).toFixed(2));
  return { p50: at(0.5), p99: at(0.99), p999: at(0.999), max: at(1), loop };
}
