import { parseArgs } from 'node:util';
import { type Comparison, type Figures, nodeAgainstRedis, proxyAgainstPeers } from './suites/throughput.ts';
import { typesAgainstRedis } from './suites/types.ts';
import { isInstalled } from './support/peers.ts';

const usage = `usage: npm run bench -- [node] [types] [proxy] [--alternations N] [--seconds S]
                        [--value-bytes N] [--json]

  node    ringside node beside redis-server
  types   the same on lists, hashes, sets and sorted sets, one big and many tiny
  proxy   ringside proxy beside nutcracker and Envoy, all in front of one redis-server
  --alternations N   turns of each target (default 5)
  --seconds S        length of one turn (default 2)
  --value-bytes N    size of the values (default 3, as redis-benchmark's)
  --json             one line of JSON for each comparison instead of the table
`;

const suites = { node: nodeAgainstRedis, types: typesAgainstRedis, proxy: proxyAgainstPeers };

function thousands(rate: number): string {
  return `${(rate / 1000).toFixed(1)}k`;
}

/** Half the distance between the slowest and the fastest turn, in percent of the median. */
function spread({ median, min, max }: Figures): string {
  return `${((50 * (max - min)) / median).toFixed(0)}%`;
}

function row({ what, command, pipeline, peer, ours, theirs, ratio }: Comparison): string {
  return [
    `${what} / ${peer}`.padEnd(19),
    command.padStart(6),
    `${pipeline}`.padStart(5),
    thousands(ours.median).padStart(7),
    `±${spread(ours)}`.padStart(4),
    thousands(theirs.median).padStart(7),
    `±${spread(theirs)}`.padStart(4),
    `${ratio.toFixed(2)} x`.padStart(6),
    `${ours.cpuMicros.toFixed(2)} : ${theirs.cpuMicros.toFixed(2)}`.padStart(14),
  ].join(' ');
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      alternations: { type: 'string', default: '5' },
      seconds: { type: 'string', default: '2' },
      'value-bytes': { type: 'string', default: '3' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const chosen = positionals.length > 0 ? positionals : Object.keys(suites);
  const unknown = chosen.find((name) => !(name in suites));
  const alternations = Number(values.alternations);
  const seconds = Number(values.seconds);
  const valueBytes = Number(values['value-bytes']);
  if (values.help || unknown || !(alternations >= 1) || !(seconds > 0) || !(valueBytes >= 1)) {
    process.stderr.write(usage);
    return values.help ? 0 : 2;
  }
  if (!isInstalled('redis-benchmark') || !isInstalled('redis-server')) {
    process.stderr.write(
      'redis-server and redis-benchmark are needed: apt-get install redis-server redis-tools\n',
    );
    return 1;
  }
  const progress = (line: string) => void process.stderr.write(`${line}\n`);
  if (!values.json) {
    process.stdout.write(
      `commands/s by redis-benchmark, 50 connections, ${valueBytes} B values;\nmedians of ${alternations} turns of ${seconds} s, spread; CPU of the measured process (ours : peer)\n\n`,
    );
    process.stdout.write(
      'ours / peer            cmd depth    ours         peer        ratio  cpu us/command\n',
    );
  }
  for (const name of chosen as (keyof typeof suites)[]) {
    for (const comparison of await suites[name]({ alternations, seconds, valueBytes, progress })) {
      process.stdout.write(`${values.json ? JSON.stringify(comparison) : row(comparison)}\n`);
    }
  }
  return 0;
}

process.exitCode = await main();
