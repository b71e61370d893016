import { type Command, InvalidArgumentError } from 'commander';
import { sizeInBytes } from '../../lib/base/index.ts';
import { addClientTlsOptions, type ClientTlsOptions, clientTls } from '../client-tls.ts';
import { UsageError } from '../errors.ts';
import { collect, wholeNumber } from '../options.ts';

interface MigrateOptions extends ClientTlsOptions {
  readonly from?: string;
  readonly to?: string;
  readonly node: string;
  readonly proxy: readonly string[];
  readonly maxHold: number;
  readonly maxLag: number;
  readonly cutOver: boolean;
  readonly replace?: boolean;
}

const DEFAULT_NODE = 'redis://127.0.0.1:7501';
const DEFAULT_PROXY = 'http://127.0.0.1:7390';
const MAX_HOLD_MS = 600_000;

/** Adds `ringside ctl migrate`. */
export function registerMigrate(ctl: Command): void {
  const command = ctl
    .command('migrate')
    .description('move an app from a redis-server to a node, or back, without losing a write')
    .option('--from <url>', 'the redis-server that the app uses: redis://[user:password@]host:port')
    .option('--to <url>', 'the redis-server to go back to, from the node')
    .option('--node <url>', 'the standalone node', DEFAULT_NODE)
    .option(
      '--proxy <url>',
      `admin address of a proxy to be turned; repeatable (default: "${DEFAULT_PROXY}")`,
      collect,
      [],
    )
    .option(
      '--max-hold <ms>',
      'how long writes may be held at the cut-over',
      wholeNumber(500, MAX_HOLD_MS),
      5000,
    )
    .option('--max-lag <size>', 'lag at which the cut-over begins', size, 65_536)
    .option('--no-cut-over', 'end once the target is level; it follows on')
    .option('--replace', 'the target may lose what it holds')
    .action(run);
  addClientTlsOptions(command);
}

async function run(options: MigrateOptions): Promise<void> {
  const { from, to, node, proxy, maxHold, maxLag, cutOver, replace = false, json = false } = options;
  if ((from === undefined) === (to === undefined))
    throw new UsageError('say either --from, for the way to Ringside, or --to, for the way back');
  const { migrate, parseServerUrl } = await import('../migrate/index.ts');
  const { systemClock, systemRandom } = await import('../../lib/base/index.ts');
  const ours = parseServerUrl(node, '--node');
  const theirs = from === undefined ? parseServerUrl(to!, '--to') : parseServerUrl(from, '--from');
  const tls = clientTls(options);
  try {
    await migrate({
      source: from === undefined ? ours : theirs,
      target: from === undefined ? theirs : ours,
      proxies: proxy.length === 0 ? [DEFAULT_PROXY] : proxy,
      tls,
      replace,
      cutsOver: cutOver,
      maxHoldMs: maxHold,
      maxLagBytes: maxLag,
      isJson: json,
      write: (text) => void process.stdout.write(text),
      clock: systemClock,
      random: systemRandom,
    });
  } finally {
    tls?.close();
  }
}

function size(text: string): number {
  const bytes = sizeInBytes(text);
  if (Number.isNaN(bytes)) throw new InvalidArgumentError('It is a size such as 64kb.');
  return bytes;
}
