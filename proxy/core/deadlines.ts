import { RingsideError } from '../../lib/base/index.ts';
import type { HurriedCall } from './call-deadlines.ts';
import { wasTriedAgain } from './command-order.ts';
import type { Failures } from './failures.ts';
import type { Link } from './link.ts';
import { type Request, RequestState } from './request.ts';
import type { RouterEnvironment } from './router-environment.ts';
import { Stat } from './stats.ts';
import type { UpstreamNode } from './topology.ts';

const CALL_OVER = 'the deadline of the call';
const CAME_FIRST = `${CALL_OVER} has come first; nothing was`;

/** How often deadlines are looked at: what is due before the next look is answered now, so that nobody waits longer than promised. */
const LOOK_MS = 10;

/** What whoever looks at deadlines needs of the router. */
export interface DeadlineOwner {
  /** Another node may lead the shard of this one soon. */
  mayChangeLeader(node: UpstreamNode): boolean;
  /** Asks another node of the shard; false when there is none to ask. */
  readElsewhere(request: Request, failed: UpstreamNode): boolean;
  /** A node may have got into trouble. */
  troubled(): void;
  /** Takes out a request that waits in the router; false when it does not. */
  unpark(request: Request): boolean;
}

/** Answers what is past its deadline, and sends reads elsewhere that have waited for one node long enough. What it sees tells of the health of nodes. */
export class Deadlines {
  readonly #env: RouterEnvironment;
  readonly #failures: Failures;
  readonly #owner: DeadlineOwner;

  constructor(env: RouterEnvironment, failures: Failures, owner: DeadlineOwner) {
    this.#env = env;
    this.#failures = failures;
    this.#owner = owner;
  }

  /** Looks at everything that waits at this link. */
  check(link: Link, nowMs: number): void {
    const { readTimeoutMs, operationTimeoutMs } = this.#env.settings;
    const dueMs = Math.max(operationTimeoutMs - LOOK_MS, operationTimeoutMs / 2);
    const overdue: Request[] = [];
    const slow: Request[] = [];
    // While others are answered the leader is there, only busy: a follower's older value is the worse answer then.
    const isSilent = nowMs - link.lastReceivedMs >= readTimeoutMs;
    const patienceMs = isSilent ? readTimeoutMs : Math.max(readTimeoutMs, operationTimeoutMs / 2);
    let longestMs = -1;
    link.queue.scan((request) => {
      const waitedMs = nowMs - request.queuedMs;
      if (longestMs < 0) longestMs = waitedMs;
      const isOverdue = nowMs - request.startedMs >= dueMs;
      if (isOverdue) overdue.push(request);
      else if (waitedMs < readTimeoutMs) return request.retries > 0;
      else if (waitedMs >= patienceMs && !request.isWrite && !wasTriedAgain(request)) slow.push(request);
      return true;
    });
    // Of a node that says nothing, nothing is known of how fast it is.
    if (link.isReady && !isSilent) link.load.look(nowMs, link.queue.headSeq, longestMs);
    if (overdue.length + slow.length === 0) return;
    if (overdue.length > 0) this.#noteOverdue(link, overdue, nowMs);
    for (const request of overdue) this.#expire(link, request);
    if (slow.length > 0) this.#hurry(link, slow, nowMs);
    link.queue.closeGaps();
    link.recount();
    this.#owner.troubled();
  }

  /** These wait no longer, and what was not sent for them is not sent. That tells nothing of nodes. */
  giveUp(calls: readonly HurriedCall[]): void {
    const links = new Set<Link>();
    for (const call of calls) {
      for (const request of call.underWay) {
        const { link } = request;
        if (link?.queue.has(request)) {
          links.add(link);
          this.#giveUpAt(link, request);
        } else this.#giveUpElsewhere(call, request);
      }
    }
    for (const link of links) {
      link.queue.closeGaps();
      link.recount();
    }
  }

  #giveUpElsewhere(call: HurriedCall, request: Request): void {
    const shard = `shard ${request.route?.name}`;
    if (this.#owner.unpark(request)) {
      this.#failures.fail(request, 'timeout', `${shard}: ${CAME_FIRST} done`);
      return;
    }
    const code = request.isWrite ? 'write_unknown' : 'timeout';
    call.leave(request, new RingsideError(code, `${shard}: no answer before ${CALL_OVER}`));
  }

  #giveUpAt(link: Link, request: Request): void {
    const { node } = link;
    const wasSent = request.state === RequestState.SENT;
    link.queue.take(request);
    const place = `shard ${node.shard}: ${node.name}`;
    if (!wasSent) this.#failures.fail(request, 'timeout', `${place}: ${CAME_FIRST} sent`);
    else if (request.isWrite) this.#failures.failUnknown(request, node, `no answer before ${CALL_OVER}`);
    else {
      this.#env.stats.add(Stat.readTimeouts);
      this.#failures.fail(request, 'timeout', `${place} did not answer before ${CALL_OVER}`);
    }
  }

  /** Deadlines have passed: that tells of the node, unless another one may lead the shard soon and these only waited for it. */
  #noteOverdue({ node }: Link, overdue: readonly Request[], nowMs: number): void {
    const isPatient = this.#owner.mayChangeLeader(node);
    const isTelling = (request: Request) => request.state === RequestState.SENT || !isPatient;
    node.health.expired(commandsOf(overdue.filter(isTelling)), nowMs);
  }

  /** Reads that have waited long enough for this node. */
  #hurry(link: Link, slow: readonly Request[], nowMs: number): void {
    const { node } = link;
    const silentMs = nowMs - link.lastReceivedMs;
    if (silentMs >= this.#env.settings.readTimeoutMs && !node.isSuspect)
      node.health.silent(`nothing arrived for ${Math.round(silentMs)} ms`);
    let moved = 0;
    for (const request of slow) {
      const { seq } = request;
      if (!this.#owner.readElsewhere(request, node)) continue;
      link.queue.takeAt(seq);
      moved += request.times;
    }
    if (moved > 0) node.health.timedOut(moved, nowMs);
  }

  #expire(link: Link, request: Request): void {
    const { node } = link;
    const wasSent = request.state === RequestState.SENT;
    link.queue.take(request);
    const ms = this.#env.settings.operationTimeoutMs;
    if (!wasSent) {
      const reason = node.lastFailure === '' ? '' : ` (${node.lastFailure})`;
      const why = `${node.name} was not reachable within ${ms} ms${reason}; nothing was sent`;
      this.#failures.fail(request, 'shard_down', `shard ${node.shard}: ${why}`);
    } else if (request.isWrite) {
      this.#failures.failUnknown(request, node, `no answer within ${ms} ms`);
    } else {
      this.#env.stats.add(Stat.readTimeouts, request.times);
      const why = `${node.name} did not answer within ${ms} ms`;
      this.#failures.fail(request, 'timeout', `shard ${node.shard}: ${why}`);
    }
  }
}

function commandsOf(requests: readonly Request[]): number {
  return requests.reduce((sum, { times }) => sum + times, 0);
}
