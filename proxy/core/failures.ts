import type { ErrorCode } from '../../lib/base/index.ts';
import { errorReply } from './frames.ts';
import type { Link, LinkEnvironment } from './link.ts';
import { noteAnswered, type Request } from './request.ts';
import { Stat, type Stats } from './stats.ts';
import type { ShardRoute, UpstreamNode } from './topology.ts';

/** Answers requests that no node answers: with which error, counted as what, and with a line of log where a limit is reached. */
export class Failures {
  readonly #env: LinkEnvironment;
  readonly #stats: Stats;

  constructor(env: LinkEnvironment, stats: Stats) {
    this.#env = env;
    this.#stats = stats;
  }

  fail(request: Request, code: ErrorCode, message: string): void {
    if (code === 'shard_down') this.#stats.add(Stat.shardDownErrors, request.times);
    this.#noteSlow(request);
    request.answerWith(errorReply(code, message));
  }

  failUnknown(request: Request, node: UpstreamNode, why: string): void {
    this.#stats.add(Stat.writesUnknown, request.times);
    this.#noteSlow(request);
    request.answerWith(errorReply('write_unknown', `shard ${node.shard}: ${node.name}: ${why}`));
  }

  /** More commands wait for the shard than may. */
  overloaded(request: Request, route: ShardRoute): void {
    const { maxInFlightPerShard } = this.#env.settings;
    const text = `shard ${route.name} has ${maxInFlightPerShard} commands in flight`;
    this.#refuseFor(request, 'proxy.limits.maxInFlightPerShard', text, route.name);
  }

  /** The node would not answer it in time: `allowed` are under way, as many as it answers in a quarter of the deadline. */
  tooSlow(request: Request, { name, shard }: UpstreamNode, allowed: number): void {
    const text = `shard ${shard}: ${name} answers slowly, and ${allowed} commands wait for it; nothing was sent`;
    this.#refuseFor(request, 'proxy.operationTimeoutMs', text, shard);
  }

  /** No link may be opened for it. `isOwn`: one that its client has for itself. */
  withoutLink(request: Request, route: ShardRoute, isOwn: boolean): void {
    const { maxDatabaseLinksPerNode, maxPrivateConnectionsPerNode } = this.#env.settings;
    if (isOwn) {
      const text = `shard ${route.name}: ${maxPrivateConnectionsPerNode} connections of single clients are in use`;
      this.#refuseFor(request, 'proxy.limits.maxPrivateConnectionsPerNode', text, route.name);
    } else {
      const text = `shard ${route.name}: ${maxDatabaseLinksPerNode} connections for databases other than 0 are in use`;
      this.#refuseFor(request, 'proxy.limits.maxDatabaseLinksPerNode', text, route.name);
    }
  }

  /** The breaker of the only node that could answer is not closed. */
  barred(request: Request, { shard, name, health }: UpstreamNode): void {
    this.#stats.add(Stat.breakerRefusals, request.times);
    const why = `the circuit breaker of ${name} is ${health.breakerState}: ${health.breaker.reason}`;
    this.fail(request, 'shard_down', `shard ${shard}: ${why} (proxy.resilience.breaker); nothing was sent`);
  }

  /** Whether as much waits at a link that is not connected, or takes no more, as may; the request is answered then. */
  isQueueFull(request: Request, { node }: Link): boolean {
    const { maxQueuedPerNode, maxQueuedBytesPerNode } = this.#env.health.settings;
    const { waiting } = node;
    const isMany = waiting.commands >= maxQueuedPerNode;
    if (!isMany && waiting.bytes + request.length <= maxQueuedBytesPerNode) return false;
    const name = isMany ? 'maxQueuedPerNode' : 'maxQueuedBytesPerNode';
    const setting = `proxy.resilience.breaker.${name}`;
    this.#noteLimit(setting, node.shard);
    this.#stats.add(Stat.queueRefusals, request.times);
    const what = isMany ? `${waiting.commands} commands wait` : `${waiting.bytes} bytes of commands wait`;
    const why = node.lastFailure === '' ? '' : ` (${node.lastFailure})`;
    this.fail(
      request,
      'shard_down',
      `shard ${node.shard}: ${what} for ${node.name}${why} (${setting}); nothing was sent`,
    );
    return true;
  }

  /** Whether a request that was sent, and stands for so many, may be sent again; if not, the limit is noted. */
  mayRetry(node: UpstreamNode, times: number): boolean {
    const { health, clock } = this.#env;
    if (health.retries.take(clock.monotonicMs(), times)) return true;
    this.#noteLimit('proxy.resilience.retries', node.shard);
    this.#stats.add(Stat.retriesRefused, times);
    return false;
  }

  #refuseFor(request: Request, setting: string, text: string, shard: string): void {
    this.#stats.add(Stat.overloadedErrors, request.times);
    this.#noteLimit(setting, shard);
    request.answerWith(errorReply('overloaded', `${text} (${setting})`));
  }

  #noteLimit(setting: string, shard: string): void {
    this.#env.health.limits.reached(setting, this.#env.clock.monotonicMs(), { shard });
  }

  #noteSlow(request: Request): void {
    const { clock, slowness } = this.#env;
    if (clock.monotonicMs() - request.startedMs >= slowness.thresholdMs) noteAnswered(request);
  }
}
