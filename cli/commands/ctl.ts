import type { Command } from 'commander';
import type { TlsMaterial } from '../../lib/net/index.ts';
import { addClientTlsOptions, type ClientTlsOptions, clientTls } from '../client-tls.ts';
import type { ControlPlaneClient, FleetStatus, KeyRoute } from '../ctl/client.ts';
import type { RingView } from '../ctl/render.ts';
import { UsageError } from '../errors.ts';
import { registerMigrate } from './migrate.ts';

interface CtlOptions extends ClientTlsOptions {
  readonly controlPlane: string;
}

const DEFAULT_CONTROL_PLANE = 'http://127.0.0.1:7400';

/** Commands of later releases: `[name, what it will do]`. */
const LATER = [
  ['purge', 'forget keys, tags or prefixes everywhere'],
  ['drain', 'move everything off a node or proxy'],
  ['rebalance', 'move keys between shards'],
  ['locks', 'list locks and their holders'],
] as const;

/** Adds `ringside ctl` and its commands to the program. */
export function registerCtl(program: Command): void {
  const ctl = program.command('ctl').description('ask and steer the control plane');
  add(ctl, 'status', 'the ring, the shards with their nodes, the proxies, the control plane').action(
    (options: CtlOptions) => show<FleetStatus>(options, '/v1/status', 'renderStatus'),
  );
  add(ctl, 'ring', 'the ring document in force').action((options: CtlOptions) =>
    show<RingView>(options, '/v1/ring', 'renderRing'),
  );
  add(ctl, 'route', 'which shard and nodes a key belongs to')
    .argument('<key>')
    .action((key: string, options: CtlOptions) => route(key, options));
  add(ctl, 'failover', 'give a shard another leader')
    .argument('<shard>')
    .option('--to <node>', 'the follower to promote; by default the one that is furthest')
    .action((shard: string, options: CtlOptions & { to?: string }) => failover(shard, options));
  add(ctl, 'warm-up', 'how far the proxies are that warm up from an old cluster')
    .option('--proxy <url>', 'the admin listener of one proxy; by default all that the control plane knows')
    .option('--stop', 'end it: the old cluster is asked no more')
    .action((options: CtlOptions & { proxy?: string; stop?: boolean }) => warmUp(options));
  registerMigrate(ctl);
  for (const [name, what] of LATER) addLater(ctl, name, what);
}

function add(ctl: Command, name: string, description: string): Command {
  const command = ctl.command(name).description(description);
  command.option('--control-plane <url>', "the control plane's HTTP address", DEFAULT_CONTROL_PLANE);
  return addClientTlsOptions(command);
}

function addLater(ctl: Command, name: string, what: string): void {
  add(ctl, name, `${what} (later)`)
    .argument('[arguments...]')
    .allowUnknownOption()
    .action(() => {
      throw new UsageError(`ctl ${name} comes in a later release`, 'not_implemented');
    });
}

type Renderer = 'renderStatus' | 'renderRing' | 'renderRoute';

async function show<T>(options: CtlOptions, path: string, renderer: Renderer): Promise<void> {
  await print(options, await withClient(options, (client) => client.get<T>(path)), renderer);
}

/** Where a key lives by the control plane, and what the proxies keep of it. */
async function route(key: string, options: CtlOptions): Promise<void> {
  const { proxyStates } = await import('../ctl/proxy-states.ts');
  const isSecure = options.controlPlane.startsWith('https:');
  const answer = await withClient(options, async (client, tls) => ({
    ...(await client.get<KeyRoute>(`/v1/route?key=${encodeURIComponent(key)}`)),
    ...(await proxyStates(key, { controlPlane: client, isSecure, tls })),
  }));
  await print(options, answer, 'renderRoute');
}

async function warmUp(options: CtlOptions & { proxy?: string; stop?: boolean }): Promise<void> {
  const { warmUps, renderWarmUps } = await import('../ctl/warm-ups.ts');
  const { proxy, controlPlane, stop = false } = options;
  const tls = clientTls(options);
  try {
    const found = await warmUps({ proxy, controlPlane, stops: stop }, tls);
    const text = options.json ? `${JSON.stringify(found)}\n` : renderWarmUps(found, process.stdout.columns);
    process.stdout.write(text);
  } finally {
    tls?.close();
  }
}

async function print<T>(options: CtlOptions, answer: T, renderer: Renderer): Promise<void> {
  if (options.json) {
    process.stdout.write(`${JSON.stringify(answer)}\n`);
    return;
  }
  const render = (await import('../ctl/render.ts'))[renderer] as (answer: T, width?: number) => string;
  process.stdout.write(render(answer, process.stdout.columns));
}

async function failover(shard: string, options: CtlOptions & { to?: string }): Promise<void> {
  const path = `/v1/shards/${encodeURIComponent(shard)}/failover`;
  const body = options.to === undefined ? {} : { to: options.to };
  const answer = await withClient(options, (client) =>
    client.post<{ epoch?: string; leader?: string | { id: string } | null }>(path, body),
  );
  const leader = typeof answer.leader === 'string' ? answer.leader : (answer.leader?.id ?? 'nobody yet');
  const epoch = answer.epoch === undefined ? '' : ` at epoch ${answer.epoch}`;
  process.stdout.write(
    options.json ? `${JSON.stringify(answer)}\n` : `${shard} is led by ${leader}${epoch}\n`,
  );
}

async function withClient<T>(
  options: CtlOptions,
  use: (client: ControlPlaneClient, tls: TlsMaterial | undefined) => Promise<T>,
): Promise<T> {
  const { ControlPlaneClient } = await import('../ctl/client.ts');
  const tls = clientTls(options);
  const client = new ControlPlaneClient(options.controlPlane, tls);
  try {
    return await use(client, tls);
  } finally {
    await client.close();
    tls?.close();
  }
}
