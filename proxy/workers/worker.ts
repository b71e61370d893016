import { parentPort, workerData } from 'node:worker_threads';
import { isRingsideError, systemClock, systemRandom } from '../../lib/base/index.ts';
import { createLogger } from '../../lib/net/index.ts';
import { DataPath } from '../core/data-path.ts';
import { Stats } from '../core/stats.ts';
import { takeStep } from '../core/upstream-step.ts';
import type { RespListener } from '../resp/listener.ts';
import { startRespListener } from '../resp/start.ts';
import { loadProxyTls } from '../tls.ts';
import { RINGSIDE_VERSION } from '../version.ts';
import type { FromWorker, ToWorker, WorkerStart } from './messages.ts';

const { config, index, port, runId, stats, canRefresh } = workerData as WorkerStart;
const log = createLogger({ level: config.logLevel, role: 'proxy', id: `worker ${index}` });
const tell = (message: FromWorker) => parentPort!.postMessage(message);

const tls = loadProxyTls(config, log);
const path = new DataPath(config, {
  clock: systemClock,
  random: systemRandom,
  log,
  stats: new Stats(stats),
  fleetTls: tls.fleet,
  refresh: canRefresh ? () => tell({ type: 'refresh' }) : undefined,
});
let listener: RespListener | null = null;

parentPort!.on('message', (message: ToWorker) => {
  if (message.type === 'topology') path.router.apply(message.topology);
  else if (message.type === 'confirm') path.router.confirmTopology();
  else if (message.type === 'step') void step(message);
  else void close(message.graceMs);
});

async function step({ id, step, timeoutMs }: ToWorker & { type: 'step' }): Promise<void> {
  tell({ type: 'stepped', id, result: await takeStep(path.router, step, timeoutMs) });
}

async function close(graceMs: number): Promise<void> {
  await listener?.close(graceMs);
  path.close();
  tls.close();
  tell({ type: 'closed' });
  parentPort!.close();
}

try {
  listener = await startRespListener(path, config, {
    port,
    reusePort: true,
    tls: tls.clients,
    runId,
    version: RINGSIDE_VERSION,
  });
  tell({ type: 'listening', address: listener.address });
} catch (error) {
  const code = isRingsideError(error) ? error.code : 'internal';
  tell({ type: 'failed', code, message: (error as Error).message });
}
