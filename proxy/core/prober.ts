import { encodeCommand } from '../../lib/codec/resp/index.ts';
import { isErrorReply } from './frames.ts';
import { acquireRequest, type Request, releaseRequest, type Sink } from './request.ts';
import type { Router } from './router.ts';
import type { UpstreamNode } from './topology.ts';

/** How often it is looked whether a probe is due. */
const LOOK_MS = 50;
const PING = encodeCommand('PING');

/**
 * Asks nodes that are ejected, or whose breaker is open, whether they are well again: with commands of its own, so that no client waits for them. Asks the
 * followers of a shard whose leader is in trouble whether they are there at all: nobody else may ask them for a while.
 */
export class Prober {
  readonly #router: Router;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(router: Router) {
    this.#router = router;
  }

  /** To be called when a node has got into trouble. */
  start(): void {
    if (this.#timer !== undefined || this.#isClosed) return;
    this.#timer = setInterval(() => this.#look(), LOOK_MS).unref();
  }

  close(): void {
    this.#isClosed = true;
    clearInterval(this.#timer);
  }

  #look(): void {
    const nowMs = this.#router.env.clock.monotonicMs();
    let isNeeded = false;
    for (const node of this.#router.nodes) {
      if (!node.health.isTroubled) continue;
      isNeeded = true;
      // The greeting of a connection that is being made is a probe itself.
      const link = this.#router.linkTo(node, 2, 0);
      if (link?.isReady && node.health.wantsProbe(nowMs))
        this.#router.submitOver(pingFor(new Probe(this.#router, node), nowMs), link);
    }
    for (const { leader, followers } of this.#router.routes) {
      if (followers.length === 0 || (leader !== null && !leader.health.isTroubled)) continue;
      isNeeded = true;
      for (const follower of followers) this.#greet(follower, nowMs);
    }
    if (isNeeded) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Of a follower that is well it is not known how long it has been. */
  #greet(node: UpstreamNode, nowMs: number): void {
    if (node.health.isTroubled) return;
    const link = this.#router.linkTo(node, 2, 0);
    if (link === null || !link.isReady || link.length > 0) return;
    const { probeTimeoutMs } = this.#router.env.health.settings;
    if (nowMs - link.lastReceivedMs >= probeTimeoutMs)
      this.#router.submitOver(pingFor(greeting, nowMs), link);
  }
}

function pingFor(sink: Sink, nowMs: number): Request {
  const request = acquireRequest();
  request.bytes = PING;
  request.end = PING.length;
  request.startedMs = nowMs;
  request.sink = sink;
  return request;
}

/** Silence is noted by those who look after deadlines; there is nothing else to hear of. */
const greeting: Sink = { ready: releaseRequest, handBack: releaseRequest };

/** One PING on its way. */
class Probe implements Sink {
  readonly #router: Router;
  readonly #node: UpstreamNode;

  constructor(router: Router, node: UpstreamNode) {
    this.#router = router;
    this.#node = node;
  }

  ready(request: Request): void {
    this.#end(request, !isErrorReply(request.bytes, request.start));
  }

  handBack(request: Request): void {
    this.#end(request, false);
  }

  #end(request: Request, isAnswered: boolean): void {
    const { clock, health } = this.#router.env;
    const nowMs = clock.monotonicMs();
    const isQuick = nowMs - request.startedMs <= health.settings.probeTimeoutMs;
    releaseRequest(request);
    this.#node.health.probed(isAnswered && isQuick, nowMs);
  }
}
