import { type Command, Option } from 'commander';
import { addClientTlsOptions, type ClientTlsOptions, clientTls } from '../client-tls.ts';
import { UsageError } from '../errors.ts';
import { numberWithin, wholeNumber } from '../options.ts';

/** Options of `ringside bench` as parsed. */
export interface BenchOptions extends ClientTlsOptions {
  readonly target: string;
  readonly against?: string;
  readonly rounds?: number;
  readonly workload: string;
  readonly keys: number;
  readonly valueBytes: number;
  readonly zipf?: number;
  readonly connections: number;
  readonly pipeline: number;
  readonly seconds?: number;
  readonly ops?: number;
  readonly rate?: number;
  readonly trace?: string;
  readonly format?: 'oracle' | 'recs' | 'cdn';
  readonly preload?: boolean;
  readonly seed?: number;
}

const MAX = Number.MAX_SAFE_INTEGER;

/** Adds `ringside bench` to the program. */
export function registerBench(program: Command): void {
  const command = program
    .command('bench')
    .description('put load on a listener and measure it')
    .option(
      '--target <url>',
      'resp://, memcache://, http:// or grpc:// HOST:PORT (rediss, https, grpcs: TLS)',
      'resp://127.0.0.1:7379',
    )
    .option('--against <url>', 'a second target; the two take turns, and the ratio is printed')
    .option('--rounds <n>', 'turns of each with --against (default: 5, with a trace 1)', wholeNumber(1, 1000))
    .option('--workload <what>', 'get, set, mix:SHARE_OF_READS or mget:KEYS', 'mix:0.9')
    .option('--keys <n>', 'different keys', wholeNumber(1, MAX), 100_000)
    .option('--value-bytes <n>', 'size of a value', wholeNumber(0, 512 * 1024 * 1024), 100)
    .option(
      '--zipf <s>',
      'popularity follows a Zipf distribution with this exponent (default: all alike)',
      numberWithin(0.01, 10),
    )
    .option('--preload', 'write every key once before the measurement')
    .option('--connections <n>', 'connections', wholeNumber(1, 10_000), 50)
    .option('--pipeline <n>', 'commands in flight on each connection', wholeNumber(1, 10_000), 1)
    .option(
      '--seconds <n>',
      'length of the measurement (default: 10, or until --ops or the trace end)',
      numberWithin(0.01, 1e9),
    )
    .option('--ops <n>', 'commands to send; of a trace, its first requests', wholeNumber(1, MAX))
    .option(
      '--rate <n>',
      'commands per second; latency counts from the time each was due',
      numberWithin(0.001, 1e9),
    )
    .option('--seed <n>', 'repeat the same keys in every run', wholeNumber(0, 2 ** 32 - 1))
    .option('--trace <file>', 'replay a trace (gzipped or not): GET, on a miss SET with its size')
    .addOption(new Option('--format <format>', 'what the trace is').choices(['oracle', 'recs', 'cdn']));
  addClientTlsOptions(command).action(run);
}

async function run(options: BenchOptions): Promise<void> {
  if ((options.trace === undefined) !== (options.format === undefined)) {
    throw new UsageError('--trace FILE and --format oracle|recs|cdn belong together');
  }
  const { runBench } = await import('../bench/index.ts');
  const tls = clientTls(options);
  try {
    await runBench(options, tls);
  } finally {
    tls?.close();
  }
}
