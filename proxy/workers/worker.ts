import { parentPort, workerData } from 'node:worker_threads';
import { isRingsideError, systemClock, systemRandom } from '../../lib/base/index.ts';
import { createMetrics } from '../../lib/metrics/index.ts';
import { createLogger } from '../../lib/net/index.ts';
import { DataPath } from '../core/data-path.ts';
import { Stats } from '../core/stats.ts';
import { takeStep } from '../core/upstream-step.ts';
import { registerPathMetrics } from '../path-metrics.ts';
import { ProxyThread } from '../thread.ts';
import { ThreadListeners } from '../thread-listeners.ts';
import { loadProxyTls } from '../tls.ts';
import { registerThreadMetrics } from '../watch/thread-metrics.ts';
import { WorkerGroup } from './group.ts';
import type { FromWorker, ToWorker, WorkerStart } from './messages.ts';
import { SharedIds } from './shared-ids.ts';

const { config, index, ports, runId, stats, canRefresh, inherited, ids, warmMemory } =
  workerData as WorkerStart;
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
  warmMemory,
});
const thread = new ProxyThread({
  config,
  clock: systemClock,
  random: systemRandom,
  path,
  ids: new SharedIds(ids),
  inherited,
});
const group = new WorkerGroup((id, name, asked) => tell({ type: 'ask', id, name, asked }));
const metrics = createMetrics();
registerThreadMetrics(
  metrics,
  () => thread.commands(),
  () => thread.nodes(),
);
registerPathMetrics(metrics, path);
thread.desk.on('metrics', () => metrics.snapshot());
const listeners = new ThreadListeners({
  ...{ config, ports, reusePort: true, path, thread, group, tls, metrics, runId },
});

parentPort!.on('message', (message: ToWorker) => {
  if (message.type === 'topology') path.router.apply(message.topology);
  else if (message.type === 'confirm') path.router.confirmTopology();
  else if (message.type === 'step') void step(message);
  else if (message.type === 'question') void answer(message);
  else if (message.type === 'answers') group.answered(message.id, message.answers);
  else void close(message.graceMs);
});

async function step({ id, step, timeoutMs }: ToWorker & { type: 'step' }): Promise<void> {
  tell({ type: 'stepped', id, result: await takeStep(path.router, step, timeoutMs) });
}

async function answer({ id, name, asked }: ToWorker & { type: 'question' }): Promise<void> {
  tell({ type: 'answer', id, answer: await thread.desk.answer(name, asked) });
}

async function close(graceMs: number): Promise<void> {
  await listeners.close(graceMs);
  await thread.close();
  path.close();
  tls.close();
  tell({ type: 'closed' });
  parentPort!.close();
}

try {
  await listeners.start();
  tell({ type: 'listening', addresses: listeners.addresses });
} catch (error) {
  const code = isRingsideError(error) ? error.code : 'internal';
  tell({ type: 'failed', code, message: (error as Error).message });
}
