import { type Command, InvalidArgumentError, Option } from 'commander';
import { type FlagSetting, loadConfig } from '../configuration.ts';
import { type CommonOptions, collect, wholeNumber } from '../options.ts';
import { roles } from '../roles.ts';

interface ProxyOptions extends CommonOptions {
  readonly upstream: readonly string[];
  readonly engine?: string;
  readonly bind?: string;
  readonly respPort?: number | string;
  readonly memcachedPort?: number | string;
  readonly httpPort?: number | string;
  readonly grpcPort?: number | string;
  readonly adminPort?: number | string;
  readonly workers?: number;
  readonly controlPlane?: string;
  readonly dir?: string;
  readonly id?: string;
}

const PORTS = ['resp', 'memcached', 'http', 'grpc', 'admin'] as const;

/** Adds `ringside proxy` to the program. */
export function registerProxy(program: Command): void {
  const command = program
    .command('proxy')
    .description('run one proxy: what clients talk to')
    .option(
      '--upstream <name=[engine://]host:port[/follower:port...]>',
      'a shard of a fixed ring, leader first; with redis:// or ringside:// where it is not --engine; repeatable',
      collect,
      [],
    )
    .addOption(
      new Option('--engine <engine>', 'what the upstreams are that do not say it').choices([
        'ringside',
        'redis',
      ]),
    )
    .option('--control-plane <host:port>', "the control plane's gRPC address, instead of --upstream")
    .option('--id <id>', 'name of this proxy in status and metrics')
    .option('--bind <address>', 'address of the client listeners')
    .option('--dir <dir>', 'folder for the last known good ring')
    .option('--workers <n>', 'threads that share the listeners', wholeNumber(1, 256));
  for (const name of PORTS) {
    command.option(`--${name}-port <port>`, `${name} port; off or 0: none, auto: any free one`, portNumber);
  }
  command.action(run);
}

async function run(options: ProxyOptions): Promise<void> {
  const config = loadConfig(options, { role: 'proxy', flags: settingsOf(options) });
  await roles.proxy(config, options);
}

/** The settings that the flags stand for. */
function settingsOf(options: ProxyOptions): FlagSetting[] {
  const plain = [
    'engine',
    'controlPlane',
    'id',
    'bind',
    'dir',
    'workers',
    ...PORTS.map((name) => `${name}Port`),
  ];
  const settings = plain.flatMap((key) => {
    const value = options[key as keyof ProxyOptions];
    if (value === undefined) return [];
    return [
      { flag: `--${key.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)}`, path: `proxy.${key}`, value },
    ];
  });
  if (options.upstream.length === 0) return settings;
  const upstreams = options.upstream.map(parseUpstream);
  return [...settings, { flag: '--upstream', path: 'proxy.upstreams', value: upstreams }];
}

interface UpstreamFlag {
  readonly name: string;
  readonly leader: string;
  readonly followers: string[];
  readonly engine?: string;
}

/** `name=leader:port/follower:port/…`, the engine before the leader as the scheme of a URL. */
function parseUpstream(text: string): UpstreamFlag {
  const [, name, engine, leader, rest] =
    /^([^=]+)=(?:(redis|ringside):\/\/)?([^/]+)(?:\/(.*))?$/.exec(text) ?? [];
  if (leader === undefined) {
    throw new InvalidArgumentError(
      `--upstream ${text}: write it as name=host:port, its followers after slashes`,
    );
  }
  const followers = rest === undefined ? [] : rest.split('/');
  return { name, leader, followers, ...(engine && { engine }) };
}

/** A port as the configuration takes it; what is no number is left to its check. */
function portNumber(text: string): number | string {
  return /^\d+$/.test(text) ? Number(text) : text;
}
