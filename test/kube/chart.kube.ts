import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import { until } from '../support/until.ts';

/*
 * The chart on a real Kubernetes: any cluster KUBECONFIG names, with IMAGE (name:tag of this clone's image) already
 * loaded. Everything happens in one namespace of its own that enforces the restricted Pod Security level.
 */
const image = process.env.IMAGE ?? '';
const namespace = `ringside-test-${process.pid}`;
const chart = resolve(import.meta.dirname, '../../deploy/helm/ringside');
const run = promisify(execFile);

async function command(program: string, args: string[]): Promise<string> {
  const { stdout } = await run(program, args, {
    maxBuffer: 16 << 20,
    env: { ...process.env, NODE_OPTIONS: '' },
  });
  return stdout.trim();
}
const kubectl = (...args: string[]) => command('kubectl', ['-n', namespace, ...args]);
const helm = (...args: string[]) => command('helm', ['-n', namespace, ...args]);

interface NodeStatus {
  id: string;
  state: string;
}
interface Status {
  ring: { epoch: string };
  shards: { name: string; epoch: string; leader: NodeStatus | null; followers: NodeStatus[] }[];
  proxies: { id: string; ackedEpoch: string }[];
}
interface Seen {
  reads: number;
  readErrors: number;
  writes: number;
  writeErrors: number;
  lost: number;
  maxReadGapMs: number;
  maxWriteGapMs: number;
  lastError: string;
}

async function status(): Promise<Status> {
  const pod = 'demo-ringside-control-plane-0';
  return JSON.parse(
    await kubectl('exec', pod, '--', '/app/bin/ringside', 'ctl', 'status', '--json'),
  ) as Status;
}

/** What a proxy of the Deployment answers to these words. */
async function asked(...words: string[]): Promise<string> {
  const talk = `require('net').connect(7379, '127.0.0.1').end(process.argv[1] + '\\r\\n').pipe(process.stdout)`;
  return kubectl('exec', 'deploy/demo-ringside-proxy', '--', 'node', '-e', talk, words.join(' '));
}

async function seen(): Promise<Seen> {
  const line = await kubectl('logs', 'deploy/guestbook', '-c', 'app', '--tail=1');
  return JSON.parse(line) as Seen;
}

/** Whose keys the gutter takes. */
const namespaces = [{ name: 'soft', prefix: 'g:', stalenessMs: 60_000, gutter: true }];

/** Every shard has a serving leader and one serving follower, and every proxy applied the newest ring. */
function isWhole(now: Status): boolean {
  return (
    now.shards.length === 3 &&
    now.shards.every(
      (shard) =>
        shard.leader?.state === 'serving' &&
        shard.followers.filter((follower) => follower.state === 'serving').length === 1,
    ) &&
    now.proxies.every((proxy) => proxy.ackedEpoch === now.ring.epoch)
  );
}

t.before(async () => {
  if (!image) throw new Error('set IMAGE to the name:tag of an image the cluster can run');
  await command('kubectl', ['create', 'namespace', namespace]);
  await command('kubectl', [
    'label',
    'namespace',
    namespace,
    'pod-security.kubernetes.io/enforce=restricted',
  ]);
});
t.teardown(async () => {
  await command('kubectl', ['delete', 'namespace', namespace, '--wait=false']);
});

t.test('helm install --wait brings up a whole cluster under restricted Pod Security', async (t) => {
  const [, repository, tag] = /^(.*):([^:]+)$/.exec(image) ?? [];
  await helm(
    ...['install', 'demo', chart, '--wait', '--timeout', '240s'],
    ...['--set', `image.repository=${repository}`, '--set', `image.tag=${tag}`],
    ...['--set', 'gutter.replicas=1', '--set-json', `config.namespaces=${JSON.stringify(namespaces)}`],
  );
  const now = await until('the cluster is whole', async () => {
    const now = await status();
    return isWhole(now) ? now : undefined;
  });
  t.equal(now.proxies.length, 2, 'both proxies of the Deployment are attached');
  await t.rejects(
    helm('template', 'demo', chart, '--set', 'shards.cuont=2'),
    /cuont/,
    'a mistyped value is refused',
  );
});

t.test('an app with the sidecar helper writes and reads over localhost', async (t) => {
  const work = mkdtempSync(join(tmpdir(), 'ringside-kube-'));
  t.teardown(() => rmSync(work, { recursive: true, force: true }));
  cpSync(resolve(import.meta.dirname, 'app'), join(work, 'app'), { recursive: true });
  cpSync(chart, join(work, 'ringside'), { recursive: true });
  await helm('dependency', 'update', join(work, 'app'));
  await helm(
    ...['install', 'guestbook', join(work, 'app'), '--wait', '--timeout', '240s'],
    ...['--set', `image=${image}`, '--set', 'controlPlane=demo-ringside-control-plane:7401'],
  );
  const now = await until('the app has read and written every key', async () => {
    const now = await seen();
    return now.writes > 200 && now.reads > 200 ? now : undefined;
  });
  t.equal(now.writeErrors, 0, now.lastError);
  t.equal(now.readErrors, 0, now.lastError);
});

t.test('a deleted shard leader: reads go on, writes resume, the cluster heals', async (t) => {
  const before = await status();
  const shard = before.shards[0]!;
  const leader = shard.leader!.id;
  await kubectl('delete', 'pod', leader, '--wait=false');
  const after = await until(
    'another leader is elected and every shard is whole again',
    async () => {
      const now = await status();
      const same = now.shards.find((s) => s.name === shard.name)!;
      return BigInt(same.epoch) > BigInt(shard.epoch) && isWhole(now) ? now : undefined;
    },
    { timeoutMs: 180_000, everyMs: 250 },
  );
  t.not(after.shards[0]!.leader!.id, leader, 'the follower leads now');
  const writesThen = (await seen()).writes;
  const now = await until('every key was written again', async () => {
    const now = await seen();
    return now.writes > writesThen + 100 ? now : undefined;
  });
  t.comment(JSON.stringify(now));
  t.equal(now.readErrors, 0, `no read failed: ${now.lastError}`);
  t.ok(now.maxReadGapMs < 15_000, `longest time between two reads of a key: ${now.maxReadGapMs} ms`);
  t.ok(now.maxWriteGapMs < 30_000, `longest time between two writes of a key: ${now.maxWriteGapMs} ms`);
});

t.test('a shard of which no pod is left: the gutter takes its keys', async (t) => {
  t.equal(await asked('SET', 'g:1', 'of-the-shard'), '+OK');
  const shard = /shard-\d/.exec(await asked('RS.ROUTE', 'g:1'))?.[0];
  const pods = `statefulset/demo-ringside-${shard}`;
  await kubectl('scale', pods, '--replicas=0', '--timeout=60s');
  const written = await until('it is written', async () => (await asked('SET', 'g:1', 'filled')) === '+OK');
  t.ok(written);
  t.match(await asked('RS.ROUTE', 'g:1'), /gutter/);
  t.match(await asked('GET', 'g:1'), /filled/);
  await kubectl('scale', pods, '--replicas=2');
  await until('the shard is back', async () => isWhole(await status()), { timeoutMs: 180_000, everyMs: 250 });
  t.match(
    await until('it is asked again', async () => {
      const route = await asked('RS.ROUTE', 'g:1');
      return route.includes('gutter') ? undefined : route;
    }),
    /leader/,
  );
});

t.test('helm uninstall leaves nothing behind', async (t) => {
  await helm('uninstall', 'guestbook', '--wait', '--timeout', '120s');
  await helm('uninstall', 'demo', '--wait', '--timeout', '120s');
  const kinds =
    'all,configmap,secret,serviceaccount,persistentvolumeclaim,poddisruptionbudget,endpointslice,role,rolebinding';
  await until(
    'only what Kubernetes itself puts into a namespace is left',
    async () => {
      const names = (await kubectl('get', kinds, '-o', 'name')).split('\n').filter(Boolean);
      return names.every((name) => /^(configmap\/kube-root-ca\.crt|serviceaccount\/default)$/.test(name));
    },
    { timeoutMs: 120_000, everyMs: 500 },
  );
  t.pass('the namespace is empty');
});
