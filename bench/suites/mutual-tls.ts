import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import tls from 'node:tls';
import { makeCerts } from '../../cli/certs/index.ts';
import { redisBenchmark } from '../support/measure.ts';
import { type Connect, startNodeRole, startProxyRole } from '../support/peers.ts';
import { type Comparison, compare, type Effort, loadsWith, withServers } from './throughput.ts';

const FILLS = 400_000;

/** A proxy in front of a node, with mutual TLS between the two, beside the same without; clients speak plain TCP to both. */
export async function mutualTlsCost(effort: Effort): Promise<Comparison[]> {
  const dir = mkdtempSync(join(tmpdir(), 'ringside-bench-certs-'));
  try {
    const { ca, certs } = await makeCerts({ dir, identities: ['node/bench', 'proxy/bench'] });
    const [node, proxy] = certs.map(({ cert, key }) => ({ ca, cert, key }));
    const settings = ({ cert, key }: { cert: string; key: string }) =>
      Object.entries({ ca, cert, key }).flatMap(([name, file]) => ['--set', `tls.${name}=${file}`]);
    const identity = { ca: readFileSync(ca), cert: readFileSync(proxy.cert), key: readFileSync(proxy.key) };
    const safely: Connect = (port, onConnected) =>
      tls.connect(
        { host: '127.0.0.1', port, ...identity, checkServerIdentity: () => undefined },
        onConnected,
      );
    return await withServers(async (keep) => {
      const ringside = ['--engine', 'ringside'];
      const plainNode = await keep(startNodeRole());
      const plain = await keep(startProxyRole([plainNode], [], ringside));
      const safeNode = await keep(startNodeRole({ args: settings(node), connect: safely }));
      const own = [...settings(proxy), '--set', 'proxy.clientTls=off'];
      const safe = await keep(startProxyRole([safeNode], [], [...ringside, ...own]));
      const loads = loadsWith(effort.valueBytes);
      for (const { port } of [plain, safe]) await redisBenchmark(port, { ...loads[0], pipeline: 16 }, FILLS);
      return compare('mTLS', safe, [{ ...plain, name: 'plain TCP' }], loads, effort);
    });
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
