import { Worker } from 'node:worker_threads';
import { type ErrorCode, type Logger, RingsideError } from '../../lib/base/index.ts';
import type { Config } from '../../lib/config/index.ts';
import { claimPort, type PortClaim } from '../../lib/net/index.ts';
import { Stats } from '../core/stats.ts';
import type { Topology } from '../core/topology.ts';
import type { StepResult, UpstreamStep } from '../core/upstream-step.ts';
import type { InheritedState } from '../thread.ts';
import type { ThreadPorts } from '../thread-listeners.ts';
import type { FromWorker, ToWorker, WorkerStart } from './messages.ts';
import type { QuestionName } from './questions.ts';
import type { SharedIds } from './shared-ids.ts';

const RESPAWN_MS = 1000;
/** A thread that says nothing for so long has no answer. */
const ANSWER_MS = 2000;

/** What the pool needs of the main thread. */
export interface WorkerPoolOptions {
  readonly config: Config;
  /** 0 picks a free port. */
  readonly ports: ThreadPorts;
  readonly runId: string;
  readonly log: Logger;
  readonly refresh: (() => void) | undefined;
  readonly ids: SharedIds;
  readonly warmMemory: SharedArrayBuffer | undefined;
  /** What a thread that begins now takes over. */
  readonly inherited: () => InheritedState;
  /** Puts the question of a worker to all threads. */
  readonly ask: (name: QuestionName, asked: unknown) => Promise<readonly unknown[]>;
}

/**
 * Threads that share the ports of RESP and memcached, each with connections of its own to the nodes. The main thread holds the ring and hands it to
 * them. A thread that dies of a defect is replaced; its clients lose their connections.
 */
export class WorkerPool {
  readonly #options: WorkerPoolOptions;
  readonly #workers: (Worker | null)[];
  readonly stats: Stats[];
  #topology: Topology | null = null;
  #isClosing = false;
  #exchangeId = 0;
  readonly #claims: PortClaim[] = [];
  #ports: ThreadPorts = { resp: null, memcached: null };
  /** `host:port` that all of them listen on, by protocol. */
  addresses: Readonly<Record<string, string>> = {};

  constructor(options: WorkerPoolOptions) {
    this.#options = options;
    const count = options.config.proxy.workers;
    this.#workers = new Array(count).fill(null);
    this.stats = this.#workers.map(() => new Stats());
  }

  /** Resolves once all listen. Rejects with what the first that could not said. */
  async start(): Promise<void> {
    const { resp, memcached } = this.#options.ports;
    this.#ports = {
      resp: await this.#claimed(resp, 'proxy.respPort'),
      memcached: await this.#claimed(memcached, 'proxy.memcachedPort'),
    };
    await Promise.all(this.#workers.map((_, index) => this.#spawn(index)));
    for (const claim of this.#claims) claim.listened();
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
    const failed = { done: false, held: 0 };
    const read = (message: FromWorker) => (message.type === 'stepped' ? message : null);
    return Promise.all(
      this.#workers.map(async (worker) => {
        const make = (id: number): ToWorker => ({ type: 'step', id, step, timeoutMs });
        return (await exchange(worker, ++this.#exchangeId, make, read))?.result ?? failed;
      }),
    );
  }

  /** What the workers answer, in no order; one that ends meanwhile, or says nothing for long, does not. */
  async ask(name: QuestionName, asked: unknown): Promise<unknown[]> {
    const read = (message: FromWorker) => (message.type === 'answer' ? message : null);
    const answers = await Promise.all(
      this.#workers.map((worker) => {
        const make = (id: number): ToWorker => ({ type: 'question', id, name, asked });
        return exchange(worker, ++this.#exchangeId, make, read, ANSWER_MS);
      }),
    );
    return answers.flatMap((message) => (message?.answer === undefined ? [] : [message.answer]));
  }

  /** Every worker closes its listeners as `ThreadListeners.close` does. */
  async close(graceMs: number): Promise<void> {
    this.#isClosing = true;
    const ended = this.#workers.map(
      (worker) => worker && new Promise((resolve) => worker.once('exit', resolve)),
    );
    this.#tellAll({ type: 'close', graceMs });
    await Promise.all(ended);
    for (const claim of this.#claims) claim.release();
  }

  async #claimed(port: number | null, setting: string): Promise<number | null> {
    if (port === null) return null;
    const claim = await claimPort({ host: this.#options.config.proxy.bind, port, setting });
    this.#claims.push(claim);
    return claim.port;
  }

  #tellAll(message: ToWorker): void {
    for (const worker of this.#workers) worker?.postMessage(message);
  }

  #spawn(index: number): Promise<void> {
    const { config, runId, refresh, log } = this.#options;
    const start: WorkerStart = {
      config,
      index,
      ports: this.#ports,
      runId,
      stats: this.stats[index].memory,
      canRefresh: refresh !== undefined,
      inherited: this.#options.inherited(),
      ids: this.#options.ids.memory,
      warmMemory: this.#options.warmMemory,
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
        else if (message.type === 'ask') void this.#answer(worker, message);
        else if (message.type === 'failed')
          reject(new RingsideError(message.code as ErrorCode, message.message));
        else if (message.type === 'listening') {
          this.addresses = message.addresses;
          resolve();
        }
      });
    });
  }

  async #answer(worker: Worker, { id, name, asked }: FromWorker & { type: 'ask' }): Promise<void> {
    const answers = await this.#options.ask(name, asked);
    worker.postMessage({ type: 'answers', id, answers } satisfies ToWorker);
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

/** Sends a message of number `id` and waits for the one of that number that `read` picks; null when the worker ends, or `timeoutMs` pass. */
function exchange<M extends { readonly id: number }>(
  worker: Worker | null,
  id: number,
  make: (id: number) => ToWorker,
  read: (message: FromWorker) => M | null,
  timeoutMs?: number,
): Promise<M | null> {
  if (worker === null) return Promise.resolve(null);
  return new Promise((resolve) => {
    const finish = (found: M | null) => {
      worker.off('message', onMessage);
      worker.off('exit', onExit);
      clearTimeout(timer);
      resolve(found);
    };
    const onExit = () => finish(null);
    const onMessage = (message: FromWorker) => {
      const found = read(message);
      if (found?.id === id) finish(found);
    };
    const timer = timeoutMs === undefined ? undefined : setTimeout(onExit, timeoutMs).unref();
    worker.on('message', onMessage);
    worker.once('exit', onExit);
    worker.postMessage(make(id));
  });
}
