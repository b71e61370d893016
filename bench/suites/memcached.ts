import { encodeCommand } from '../../lib/codec/resp/index.ts';
import { type ByteLoad, driveBytes } from '../support/byte-load.ts';
import { cpuTimeMicros, type Sample } from '../support/measure.ts';
import { freePort, startNodeRole, startProxyRole } from '../support/peers.ts';
import { type Comparison, comparisonOf, type Effort, withServers } from './throughput.ts';

const CONNECTIONS = 50;
const KEYS = 10_000;
const BATCHES = 1000;
/** Batches that bring everything to its usual pace and show how many fill a turn. */
const FIRST_BATCHES = 10_000;

/** One command of a protocol and the bytes of its reply. */
interface Kind {
  readonly name: string;
  readonly port: number;
  get(key: string): Buffer;
  readonly replyBytes: number;
}

/** `get` of the memcached listener beside GET of the RESP listener, of one proxy in front of one node, by the same load generator. */
export async function memcachedAgainstResp(effort: Effort): Promise<Comparison[]> {
  return withServers(async (keep) => {
    const { valueBytes } = effort;
    const node = await keep(startNodeRole());
    const memcachedPort = await freePort();
    const more = ['--engine', 'ringside', '--memcached-port', `${memcachedPort}`];
    const proxy = await keep(startProxyRole([node], [], more));
    await driveBytes(proxy.port, setOfAll(valueBytes), KEYS);
    const kinds: Kind[] = [
      {
        name: 'memcached',
        port: memcachedPort,
        get: (key) => Buffer.from(`get ${key}\r\n`),
        replyBytes: `VALUE ${keyOf(0)} 0 ${valueBytes}\r\n\r\nEND\r\n`.length + valueBytes,
      },
      {
        name: 'RESP',
        port: proxy.port,
        get: (key) => encodeCommand('GET', key),
        replyBytes: `$${valueBytes}\r\n\r\n`.length + valueBytes,
      },
    ];
    const rows: Comparison[] = [];
    for (const pipeline of [1, 16]) {
      const [ours, theirs] = await alternateKinds(kinds, pipeline, proxy.pid, effort);
      rows.push(comparisonOf('memcached', { command: 'get', pipeline }, ours, theirs));
      effort.progress(`memcached: get at depth ${pipeline} measured`);
    }
    return rows;
  });
}

async function alternateKinds(
  kinds: readonly Kind[],
  pipeline: number,
  pid: number,
  { alternations, seconds }: Effort,
): Promise<Sample[]> {
  const samples: Sample[] = kinds.map(({ name }) => ({ name, rates: [], cpuMicros: [] }));
  const loads = kinds.map((kind) => loadOf(kind, pipeline));
  const counts: number[] = [];
  for (const [i, { port }] of kinds.entries()) {
    const perSecond = (await driveBytes(port, loads[i], FIRST_BATCHES)) / pipeline;
    counts.push(Math.ceil(perSecond * seconds));
  }
  for (let round = 0; round < alternations; round++) {
    for (let turn = 0; turn < kinds.length; turn++) {
      const i = (round + turn) % kinds.length;
      const before = cpuTimeMicros(pid);
      samples[i].rates.push(await driveBytes(kinds[i].port, loads[i], counts[i]));
      samples[i].cpuMicros.push((cpuTimeMicros(pid) - before) / (counts[i] * pipeline));
    }
  }
  return samples;
}

function loadOf({ get, replyBytes }: Kind, commandsPerBatch: number): ByteLoad {
  const batchOf = (i: number) =>
    Buffer.concat(
      Array.from({ length: commandsPerBatch }, (_, n) => get(keyOf((i * 7919 + n * 104_729) % KEYS))),
    );
  const batches = Array.from({ length: BATCHES }, (_, i) => batchOf(i));
  return { connections: CONNECTIONS, batches, commandsPerBatch, replyBytes: commandsPerBatch * replyBytes };
}

function setOfAll(valueBytes: number): ByteLoad {
  const value = 'x'.repeat(valueBytes);
  const batches = Array.from({ length: KEYS }, (_, i) => encodeCommand('SET', keyOf(i), value));
  return { connections: CONNECTIONS, batches, commandsPerBatch: 1, replyBytes: '+OK\r\n'.length };
}

/** All of one length. */
const keyOf = (i: number) => `key:${String(i).padStart(12, '0')}`;
