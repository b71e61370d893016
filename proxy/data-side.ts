import type { Logger } from '../lib/base/index.ts';
import type { Config } from '../lib/config/index.ts';
import type { Metrics } from '../lib/metrics/index.ts';
import { AclFile, answerFileErrands } from './access/index.ts';
import type { DataPath } from './core/data-path.ts';
import type { Stats } from './core/stats.ts';
import type { Topology } from './core/topology.ts';
import type { StepResult, UpstreamStep } from './core/upstream-step.ts';
import { DelayedFlush } from './memcached/delayed-flush.ts';
import type { ProxyThread } from './thread.ts';
import { ThreadListeners, type ThreadPorts, threadPorts } from './thread-listeners.ts';
import type { ProxyTls } from './tls.ts';
import { MainGroup } from './workers/group.ts';
import { askAll, type Group, type QuestionName } from './workers/questions.ts';
import { WorkerPool } from './workers/worker-pool.ts';

/** What the data side needs of the proxy. */
export interface DataSideOptions {
  readonly config: Config;
  readonly path: DataPath;
  readonly tls: ProxyTls;
  readonly metrics: Metrics;
  readonly log: Logger;
  readonly runId: string;
  readonly refresh: (() => void) | undefined;
  readonly thread: ProxyThread;
}

/** The listeners of RESP and memcached: in the main thread with one worker, else in as many threads of their own. */
export class DataSide {
  readonly #options: DataSideOptions;
  readonly #ports: ThreadPorts;
  readonly #pool: WorkerPool | null;
  /** All threads of the process. */
  readonly group: Group;
  readonly #flushes: DelayedFlush;
  #listeners: ThreadListeners | null = null;

  constructor(options: DataSideOptions) {
    this.#options = options;
    const { config, runId, log, refresh } = options;
    const ports = threadPorts(config);
    this.#ports = ports;
    const listens = ports.resp !== null || ports.memcached !== null;
    const usesThreads = config.proxy.workers > 1 && listens;
    const { thread, path } = options;
    const ask = (name: QuestionName, asked: unknown) => askAll(this.group, name, asked as never);
    const inherited = () => thread.state;
    const warmMemory = path.warmUp?.written.memory;
    const ofPool = { config, ports, runId, log, refresh, ids: thread.ids, warmMemory, inherited, ask };
    const pool = usesThreads ? new WorkerPool(ofPool) : null;
    this.#pool = pool;
    this.group = new MainGroup(thread.desk, pool && ((name, asked) => pool.ask(name, asked)));
    this.#flushes = new DelayedFlush(path.router, thread.desk);
    answerFileErrands(new AclFile(config.proxy.aclFile, thread.access, log), thread.desk, this.group);
  }

  /** Counters of the threads; empty without. */
  get stats(): readonly Stats[] {
    return this.#pool?.stats ?? [];
  }

  /** `host:port` by protocol. */
  get listeners(): Record<string, string> {
    return { ...(this.#pool?.addresses ?? this.#listeners?.addresses) };
  }

  async start(): Promise<void> {
    if (this.#pool) return this.#pool.start();
    const { path, config, tls, metrics, runId, thread } = this.#options;
    const { group } = this;
    this.#listeners = new ThreadListeners({
      ...{ config, ports: this.#ports, reusePort: false, path, thread, group, tls, metrics, runId },
    });
    await this.#listeners.start();
  }

  /** Hands a ring to the threads. */
  apply(topology: Topology): void {
    this.#pool?.apply(topology);
  }

  /** The threads take this step; without any, nobody. */
  async step(step: UpstreamStep, timeoutMs: number): Promise<readonly StepResult[]> {
    return this.#pool === null ? [] : this.#pool.step(step, timeoutMs);
  }

  /** The ring held is the newest. */
  confirm(): void {
    this.#options.path.router.confirmTopology();
    this.#pool?.confirm();
  }

  async close(graceMs: number): Promise<void> {
    this.#flushes.cancel();
    await Promise.all([this.#listeners?.close(graceMs), this.#pool?.close(graceMs)]);
  }
}
