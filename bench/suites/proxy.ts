import { type Load, redisBenchmark } from '../support/measure.ts';
import {
  findEnvoy,
  isInstalled,
  type Server,
  startEnvoy,
  startNutcracker,
  startProxyRole,
  startRedis,
} from '../support/peers.ts';
import { type Comparison, compare, type Effort, loadsWith, withServers } from './throughput.ts';

/** Shards of what is asked for with many keys at once, and how many keys that are. */
const SHARDS = 3;
const MGET_KEYS = 100;
/** So many random SETs leave hardly one of the keys out. */
const FILLS_PER_KEY = 4;

type Keep = (server: Promise<Server>) => Promise<Server>;

/** nutcracker and Envoy in front of the same servers, where they are installed. */
export async function startPeers(
  keep: Keep,
  upstreams: Server[],
  progress: (line: string) => void,
  envoyThreads = 1,
): Promise<Server[]> {
  const peers: Server[] = [];
  if (isInstalled('nutcracker')) peers.push(await keep(startNutcracker(upstreams)));
  else progress('skipped: nutcracker not installed');
  const envoy = findEnvoy();
  if (envoy) peers.push(await keep(startEnvoy(envoy, upstreams, envoyThreads)));
  else progress('skipped: envoy not installed');
  return peers;
}

async function againstPeers(
  what: string,
  { shards, workers }: { shards: number; workers: number },
  loads: readonly Load[],
  effort: Effort,
): Promise<Comparison[]> {
  return withServers(async (keep) => {
    const upstreams: Server[] = [];
    for (let i = 0; i < shards; i++) upstreams.push(await keep(startRedis(`upstream redis-server ${i}`)));
    const ours = await keep(startProxyRole(upstreams, [], ['--workers', `${workers}`]));
    const peers = await startPeers(keep, upstreams, effort.progress, workers);
    // Each has its own idea of where a key belongs.
    for (const server of [ours, ...peers]) await fill(server, effort.valueBytes);
    return compare(what, ours, peers, loads, effort);
  });
}

async function fill(server: Server, valueBytes: number): Promise<void> {
  const load = { command: 'SET', pipeline: 16, connections: 50, valueBytes, keys: 100_000 };
  await redisBenchmark(server.port, load, FILLS_PER_KEY * load.keys);
}

/** MGET of keys that all shards have some of. */
const wideReads = (valueBytes: number): Load[] => [
  {
    command: 'MGET',
    words: ['MGET', ...new Array<string>(MGET_KEYS).fill('key:__rand_int__')],
    pipeline: 1,
    connections: 50,
    valueBytes,
    keys: 100_000,
  },
];

/** `ringside proxy` -> redis-servers beside nutcracker and Envoy -> the same redis-servers: one worker each, then two. */
export async function proxyAgainstPeers(effort: Effort): Promise<Comparison[]> {
  const { valueBytes } = effort;
  const loads = loadsWith(valueBytes);
  return [
    ...(await againstPeers('proxy', { shards: 1, workers: 1 }, loads, effort)),
    ...(await againstPeers('proxy', { shards: SHARDS, workers: 1 }, wideReads(valueBytes), effort)),
    ...(await againstPeers('2 workers', { shards: 1, workers: 2 }, loads, effort)),
  ];
}
