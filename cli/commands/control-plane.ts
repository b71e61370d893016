import { type Command, Option } from 'commander';
import { type FlagSetting, loadConfig } from '../configuration.ts';
import { UsageError } from '../errors.ts';
import type { CommonOptions } from '../options.ts';
import { roles } from '../roles.ts';

interface ControlPlaneOptions extends CommonOptions {
  readonly state?: string;
  readonly etcd?: string;
  readonly dir?: string;
  readonly id?: string;
  readonly bind?: string;
  readonly httpPort?: string;
  readonly grpcPort?: string;
}

const SETTINGS = ['state', 'dir', 'id', 'bind', 'httpPort', 'grpcPort'] as const;

/** Adds `ringside control-plane` to the program. */
export function registerControlPlane(program: Command): void {
  program
    .command('control-plane')
    .description('run one control plane: decides the ring and pushes it')
    .addOption(
      new Option('--state <state>', 'where the ring is kept; etcd comes later').choices(['embedded', 'etcd']),
    )
    .option('--etcd <host:port>', 'etcd to keep the ring in: later')
    .option('--dir <dir>', 'folder of the embedded state; without it the state is in memory only')
    .option('--id <id>', 'name of this process in status and metrics')
    .option('--bind <address>', 'address of both listeners')
    .option('--http-port <port>', 'API, health, metrics; off or 0: none, auto: any free one')
    .option('--grpc-port <port>', 'what nodes and proxies attach to; auto: any free one')
    .action(run);
}

async function run(options: ControlPlaneOptions): Promise<void> {
  if (options.state === 'etcd' || options.etcd !== undefined) {
    throw new UsageError('--state etcd comes in a later release: use `--state embedded --dir DIR`');
  }
  const config = loadConfig(options, { flags: settingsOf(options), role: 'control-plane' });
  await roles['control-plane'](config, options);
}

function settingsOf(options: ControlPlaneOptions): FlagSetting[] {
  return SETTINGS.flatMap((key) => {
    const text = options[key];
    if (text === undefined) return [];
    const flag = `--${key.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)}`;
    const value = key.endsWith('Port') && /^\d+$/.test(text) ? Number(text) : text;
    return [{ flag, path: `controlPlane.${key}`, value }];
  });
}
