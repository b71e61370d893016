import { Worker } from 'node:worker_threads';
import { type ErrorCode, type Logger, RingsideError } from '../../lib/base/index.ts';
import type { Config } from '../../lib/config/index.ts';
import { claimPort, type PortClaim } from '../../lib/net/index.ts';
import { Stats } from '../core/stats.ts';
import type { Topology } from '../core/topology.ts';
import type { StepResult, UpstreamStep } from '../core/upstream-step.ts';
import type { FromWorker, ToWorker, WorkerStart } from './messages.ts';

const RESPAWN_MS = 1000;

/** What the pool needs of the main thread. */
export interface WorkerPoolOptions {
  readonly config: Config;
  /** 0 picks a free port. */
  readonly port: number;
  readonly runId: string;
  readonly log: Logger;
  readonly refresh: (() => void) | undefined;
}

/**
 * Threads that share the RESP port, each with connections of its own to the nodes. The main thread holds the ring and hands it to
 * them. A thread that dies of a defect is replaced; its clients lose their connections.
 */
export class WorkerPool {
  readonly #options: WorkerPoolOptions;
  readonly #workers: (Worker | null)[];
  readonly stats: Stats[];
  #topology: Topology | null = null;
  #isClosing = false;
  #stepId = 0;
  #claim: PortClaim | null = null;
  /** `host:port` that all of them listen on. */
  address = '';

  constructor(options: WorkerPoolOptions) {
    this.#options = options;
    const count = options.config.proxy.workers;
    this.#workers = new Array(count).fill(null);
    this.stats = this.#workers.map(() => new Stats());
  }

  /** Resolves once all listen. Rejects with what the first that could not said. */
  async start(): Promise<void> {
    const { config, port } = this.#options;
    this.#claim = await claimPort({ host: config.proxy.bind, port, setting: 'proxy.respPort' });
    await Promise.all(this.#workers.map((_, index) => this.#spawn(index)));
  }

  apply(topology: Topology): void {
    this.#topology = topology;
    this.#tellAll({ type: 'topology', topology });
  }

  confirm(): void {
    this.#tellAll({ type: 'confirm' });
  }

  /** Every worker takes this step; one that ends meanwhile has not. */
  step(step: UpstreamStep, timeoutMs: number): Promise<StepResult[]> {
    return Promise.all(this.#workers.map((worker) => this.#stepOf(worker, step, timeoutMs)));
  }

  #stepOf(worker: Worker | null, step: UpstreamStep, timeoutMs: number): Promise<StepResult> {
    const failed = { done: false, held: 0 };
    if (worker === null) return Promise.resolve(failed);
    const id = ++this.#stepId;
    return new Promise((resolve) => {
      const finish = (result: StepResult) => {
        worker.off('message', onMessage);
        worker.off('exit', onExit);
        resolve(result);
      };
      const onExit = () => finish(failed);
      const onMessage = (message: FromWorker) => {
        if (message.type === 'stepped' && message.id === id) finish(message.result);
      };
      worker.on('message', onMessage);
      worker.once('exit', onExit);
      worker.postMessage({ type: 'step', id, step, timeoutMs } satisfies ToWorker);
    });
  }

  /** Every worker closes its listener as `RespListener.close` does. */
  async close(graceMs: number): Promise<void> {
    this.#isClosing = true;
    const ended = this.#workers.map(
      (worker) => worker && new Promise((resolve) => worker.once('exit', resolve)),
    );
    this.#tellAll({ type: 'close', graceMs });
    await Promise.all(ended);
    this.#claim?.release();
  }

  #tellAll(message: ToWorker): void {
    for (const worker of this.#workers) worker?.postMessage(message);
  }

  #spawn(index: number): Promise<void> {
    const { config, runId, refresh, log } = this.#options;
    const start: WorkerStart = {
      config,
      index,
      port: this.#claim!.port,
      runId,
      stats: this.stats[index].memory,
      canRefresh: refresh !== undefined,
    };
    const worker = new Worker(new URL('./worker.ts', import.meta.url), { workerData: start });
    this.#workers[index] = worker;
    if (this.#topology) worker.postMessage({ type: 'topology', topology: this.#topology } satisfies ToWorker);
    worker.on('error', (error) => log.error({ worker: index, err: error }, 'a worker failed'));
    worker.on('exit', () => this.#ended(index));
    return new Promise((resolve, reject) => {
      worker.once('error', reject);
      worker.on('message', (message: FromWorker) => {
        if (message.type === 'refresh') refresh?.();
        else if (message.type === 'failed')
          reject(new RingsideError(message.code as ErrorCode, message.message));
        else if (message.type === 'listening') {
          this.address = message.address;
          resolve();
        }
      });
    });
  }

  #ended(index: number): void {
    this.#workers[index] = null;
    if (this.#isClosing) return;
    setTimeout(() => {
      if (!this.#isClosing)
        this.#spawn(index).catch((error: unknown) =>
          this.#options.log.error({ err: error }, 'no new worker'),
        );
    }, RESPAWN_MS).unref();
  }
}
