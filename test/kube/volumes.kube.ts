import { execFile } from 'node:child_process';
import { chownSync, mkdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import { until } from '../support/until.ts';

/*
 * The chart with volumes on a real Kubernetes: pods come back from theirs and resync partially; a shard that was gone as a whole has its data.
 * As chart.kube.ts, and with HOST_VOLUMES, a folder that this test and every node of the cluster see under the same name (a cluster
 * that makes volumes by itself is no loss: these are bound by name).
 */
const image = process.env.IMAGE ?? '';
const folder = process.env.HOST_VOLUMES ?? '';
const namespace = `ringside-volumes-${process.pid}`;
const chart = resolve(import.meta.dirname, '../../deploy/helm/ringside');
const run = promisify(execFile);
/** As whom the pods run. */
const USER = 1000;
const PODS = ['demo-ringside-shard-0-0', 'demo-ringside-shard-0-1'];

async function command(program: string, ...args: string[]): Promise<string> {
  const env = { ...process.env, NODE_OPTIONS: '' };
  return (await run(program, args, { maxBuffer: 16 << 20, env })).stdout.trim();
}
const kubectl = (...args: string[]) => command('kubectl', '-n', namespace, ...args);

interface Node {
  readonly id: string;
  readonly state: string;
}
interface Status {
  readonly shards: readonly {
    readonly epoch: string;
    readonly leader: Node | null;
    readonly followers: Node[];
  }[];
}

async function shard(): Promise<Status['shards'][number]> {
  const ctl = ['--', '/app/bin/ringside', 'ctl', 'status', '--json'];
  return (JSON.parse(await kubectl('exec', 'demo-ringside-control-plane-0', ...ctl)) as Status).shards[0]!;
}

/** Resolves with the leader once it and its follower serve, at a shard epoch above `epoch`. */
function whole(epoch = 0n): Promise<{ leader: string; epoch: bigint }> {
  return until(
    'the shard is whole',
    async () => {
      const now = await shard();
      const isWhole =
        now.leader?.state === 'serving' && now.followers.some(({ state }) => state === 'serving');
      return isWhole && BigInt(now.epoch) > epoch
        ? { leader: now.leader!.id, epoch: BigInt(now.epoch) }
        : undefined;
    },
    { timeoutMs: 120_000, everyMs: 500 },
  );
}

const ASK = `const [command, ...args] = process.argv.slice(1);
const socket = require('net').connect(7501, '127.0.0.1', () => {
  const parts = [command, ...args];
  socket.write('*' + parts.length + '\\r\\n' + parts.map((part) => '$' + part.length + '\\r\\n' + part + '\\r\\n').join(''));
});
socket.on('data', (chunk) => { process.stdout.write(chunk); socket.end(); });`;

/** What the node in the pod answers, as it goes over the wire. */
const ask = (pod: string, ...parts: string[]) => kubectl('exec', pod, '--', 'node', '-e', ASK, ...parts);

async function info(pod: string, field: string): Promise<string | undefined> {
  return new RegExp(`^${field}:(.*?)\r?$`, 'm').exec(await ask(pod, 'INFO', 'everything'))?.[1];
}

function volume(pod: string): string {
  const path = join(folder, pod);
  mkdirSync(path, { recursive: true });
  chownSync(path, USER, USER);
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name: `${namespace}-${pod}` },
    spec: {
      capacity: { storage: '2Gi' },
      accessModes: ['ReadWriteOnce'],
      persistentVolumeReclaimPolicy: 'Retain',
      storageClassName: 'by-hand',
      claimRef: { namespace, name: `data-${pod}` },
      hostPath: { path },
    },
  });
}

async function apply(document: string): Promise<void> {
  const child = run('kubectl', ['apply', '-f', '-'], { env: { ...process.env, NODE_OPTIONS: '' } });
  child.child.stdin!.end(document);
  await child;
}

t.before(async () => {
  if (!image || !folder) throw new Error('set IMAGE and HOST_VOLUMES');
  await command('kubectl', 'create', 'namespace', namespace);
  for (const pod of PODS) await apply(volume(pod));
});
t.teardown(async () => {
  await command('kubectl', 'delete', 'namespace', namespace, '--wait=false');
  for (const pod of PODS) await command('kubectl', 'delete', 'pv', `${namespace}-${pod}`, '--wait=false');
  for (const pod of PODS) rmSync(join(folder, pod), { recursive: true, force: true });
});

t.test('a shard with volumes', async (t) => {
  const [, repository, tag] = /^(.*):([^:]+)$/.exec(image) ?? [];
  const values = {
    'image.repository': repository,
    'image.tag': tag,
    'shards.count': 1,
    'shards.persistence.enabled': true,
    'shards.persistence.storageClass': 'by-hand',
    'shards.persistence.appendonly': true,
    'proxy.replicas': 1,
  };
  const sets = Object.entries(values).flatMap(([name, value]) => ['--set', `${name}=${value}`]);
  await command('helm', '-n', namespace, 'install', 'demo', chart, ...sets, '--wait', '--timeout', '240s');
  const { leader } = await whole();
  for (let i = 0; i < 20; i++) t.equal(await ask(leader, 'SET', `k${i}`, `value ${i}`), '+OK');
});

t.test('a follower that is deleted comes back from its volume', async (t) => {
  const { leader } = await whole();
  const follower = PODS.find((pod) => pod !== leader)!;
  await kubectl('delete', 'pod', follower, '--wait=true');
  await ask(leader, 'SET', 'meanwhile', 'x');
  await whole();
  await until('it has all', async () => (await ask(follower, 'GET', 'meanwhile')) === '$1\r\nx');
  t.equal(await info(leader, 'sync_full'), '1', 'its first');
  t.equal(await info(leader, 'sync_partial_ok'), '1');
});

t.test('a shard that was gone as a whole comes back with its data', async (t) => {
  const { epoch } = await whole();
  await kubectl('delete', 'pod', ...PODS, '--force', '--grace-period=0');
  const { leader } = await whole(epoch);
  t.equal(await ask(leader, 'GET', 'k7'), '$7\r\nvalue 7');
  t.equal(await ask(leader, 'GET', 'meanwhile'), '$1\r\nx');
  t.equal(await info(leader, 'sync_full'), '0', 'and nothing was copied');
});
