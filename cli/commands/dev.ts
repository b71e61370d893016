import { type Command, Option } from 'commander';
import { type CommonOptions, wholeNumber } from '../options.ts';

/** Options of `ringside dev` as parsed. */
export interface DevOptions extends CommonOptions {
  readonly portOffset: number;
  readonly dir?: string;
  readonly shards: number;
  readonly followers: number;
  readonly proxies: number;
  readonly ack?: string;
  readonly tls?: boolean;
  readonly workers?: number;
  readonly restart?: boolean;
}

/** Adds `ringside dev` to the program. */
export function registerDev(program: Command): void {
  program
    .command('dev')
    .description('run everything on loopback: control plane, shards with followers, proxies')
    .option('--port-offset <n>', 'added to every default port', wholeNumber(0, 58_000), 0)
    .option('--dir <dir>', 'keep the state there; without it, in a temporary folder removed at the end')
    .option('--shards <n>', 'shards', wholeNumber(1, 100), 3)
    .option('--followers <n>', 'followers of each shard', wholeNumber(0, 15), 1)
    .option('--proxies <n>', 'proxies; the i-th adds 1000 x i to its ports', wholeNumber(1, 50), 1)
    .addOption(new Option('--ack <when>', 'when a write is acknowledged').choices(['leader', 'replica']))
    .option('--tls', 'mutual TLS everywhere, with certificates made for this run')
    .option('--workers <n>', 'threads of each proxy', wholeNumber(1, 256))
    .option('--restart', 'start again what dies')
    .action(run);
}

async function run(options: DevOptions): Promise<void> {
  const { runDev } = await import('../dev/index.ts');
  await runDev(options);
}
