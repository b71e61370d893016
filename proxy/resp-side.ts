import type { Logger } from '../lib/base/index.ts';
import type { Config } from '../lib/config/index.ts';
import type { Metrics } from '../lib/metrics/index.ts';
import { AclFile, answerFileErrands } from './access/index.ts';
import type { DataPath } from './core/data-path.ts';
import type { Stats } from './core/stats.ts';
import type { Topology } from './core/topology.ts';
import type { StepResult, UpstreamStep } from './core/upstream-step.ts';
import { portOf } from './ports.ts';
import type { RespListener } from './resp/listener.ts';
import { startRespListener } from './resp/start.ts';
import type { ProxyThread } from './thread.ts';
import type { ProxyTls } from './tls.ts';
import { RINGSIDE_VERSION } from './version.ts';
import { MainGroup } from './workers/group.ts';
import { askAll, type Group, type QuestionName } from './workers/questions.ts';
import { WorkerPool } from './workers/worker-pool.ts';

/** What the RESP side needs of the proxy. */
export interface RespSideOptions {
  readonly config: Config;
  readonly path: DataPath;
  readonly tls: ProxyTls;
  readonly metrics: Metrics;
  readonly log: Logger;
  readonly runId: string;
  readonly refresh: (() => void) | undefined;
  readonly thread: ProxyThread;
}

/** The RESP listener: in the main thread with one worker, else in as many threads of their own. */
export class RespSide {
  readonly #options: RespSideOptions;
  readonly #port: number | null;
  readonly #pool: WorkerPool | null;
  /** All threads of the process. */
  readonly group: Group;
  #listener: RespListener | null = null;

  constructor(options: RespSideOptions) {
    this.#options = options;
    const { config, runId, log, refresh } = options;
    this.#port = portOf(config.proxy.respPort);
    const usesThreads = config.proxy.workers > 1 && this.#port !== null;
    const { thread } = options;
    const ask = (name: QuestionName, asked: unknown) => askAll(this.group, name, asked as never);
    const inherited = () => thread.state;
    const ofPool = { config, port: this.#port!, runId, log, refresh, ids: thread.ids, inherited, ask };
    const pool = usesThreads ? new WorkerPool(ofPool) : null;
    this.#pool = pool;
    this.group = new MainGroup(thread.desk, pool && ((name, asked) => pool.ask(name, asked)));
    answerFileErrands(new AclFile(config.proxy.aclFile, thread.access, log), thread.desk, this.group);
  }

  /** Counters of the threads; empty without. */
  get stats(): readonly Stats[] {
    return this.#pool?.stats ?? [];
  }

  get listeners(): Record<string, string> {
    const address = this.#pool?.address ?? this.#listener?.address;
    return address ? { resp: address } : {};
  }

  async start(): Promise<void> {
    if (this.#pool) return this.#pool.start();
    if (this.#port === null) return;
    const { path, config, tls, metrics, runId } = this.#options;
    const start = {
      port: this.#port,
      reusePort: false,
      tls: tls.clients,
      metrics,
      thread: this.#options.thread,
      group: this.group,
      runId,
      version: RINGSIDE_VERSION,
    };
    this.#listener = await startRespListener(path, config, start);
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
    await Promise.all([this.#listener?.close(graceMs), this.#pool?.close(graceMs)]);
  }
}
