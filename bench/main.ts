import { parseArgs } from 'node:util';
import { type Comparison, nodeAgainstRedis, proxyAgainstPeers } from './suites/throughput.ts';
import { isInstalled } from './support/peers.ts';

const usage = `usage: npm run bench -- [node] [proxy] [--alternations N] [--seconds S]
                        [--value-bytes N] [--json]

  node    ringside node beside redis-server
  proxy   ringside proxy beside nutcracker and Envoy, all in front of one redis-server
  --alternations N   turns of each target (default 5)
  --seconds S        length of one turn (default 2)
  --value-bytes N    size of the values (default 3, as redis-benchmark's)
  --json             one line of JSON for each comparison instead of the table
`;

const suites = { node: nodeAgainstRedis, proxy: proxyAgainstPeers };

function thousands(rate: number): string {
  return `${(rate / 1000).toFixed(1)}k`;
}

function row(c: Comparison): string {
  const range = `${thousands(c.ours.min)}-${thousands(c.ours.max)} : ${thousands(c.theirs.min)}-${thousands(c.theirs.max)}`;
  return [
    `${c.what} / ${c.peer}`.padEnd(22),
    c.command.padEnd(4),
    `${c.pipeline}`.padStart(3),
    thousands(c.ours.median).padStart(8),
    thousands(c.theirs.median).padStart(8),
    `${c.ratio.toFixed(2)} x`.padStart(7),
    `  ${range}`,
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
      `redis-benchmark, 50 connections, ${valueBytes} B values; medians of ${alternations} alternations of ${seconds} s, commands/s\n`,
    );
    process.stdout.write(
      'ours / peer            cmd  depth     ours     peer   ratio   spread (ours : peer)\n',
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
