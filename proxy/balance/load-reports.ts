import { encodeCommand } from '../../lib/codec/resp/index.ts';
import { joinPieces } from '../core/large-frame.ts';
import { acquireRequest, type Request, releaseRequest, type Sink } from '../core/request.ts';
import type { Router } from '../core/router.ts';
import type { UpstreamNode } from '../core/topology.ts';
import type { NodeLoad, NodeLoads } from './node-loads.ts';

const QUESTION = encodeCommand('INFO', 'stats');
const EXECUTED = /^total_commands_processed:(\d+)/m;

/** Asks the nodes how much they do, for others too. */
export class LoadReports {
  readonly #router: Router;
  readonly #loads: NodeLoads<UpstreamNode>;

  constructor(router: Router, loads: NodeLoads<UpstreamNode>) {
    this.#router = router;
    this.#loads = loads;
  }

  /** Asks all that are there; they count when they have answered. */
  ask(): void {
    for (const load of this.#loads.all) {
      const link = this.#router.linkTo(load.node, 2, 0);
      if (!link?.isReady || load.node.health.isTroubled) continue;
      const request = acquireRequest();
      request.bytes = QUESTION;
      request.end = QUESTION.length;
      request.protocol = 2;
      request.startedMs = this.#router.env.clock.monotonicMs();
      this.#loads.sent(load);
      const own = load.sinceReport;
      request.sink = new Report((executed) => this.#told(load, executed, own));
      this.#router.submitOver(request, link);
    }
  }

  #told(load: NodeLoad<UpstreamNode>, executed: number, own: number): void {
    this.#loads.report(load, executed, own, this.#router.env.clock.monotonicMs());
  }
}

/** One answer to come. */
class Report implements Sink {
  readonly #told: (executed: number) => void;

  constructor(told: (executed: number) => void) {
    this.#told = told;
  }

  ready(reply: Request): void {
    joinPieces(reply);
    const found = EXECUTED.exec(reply.bytes.latin1Slice(reply.start, reply.end));
    releaseRequest(reply);
    if (found !== null) this.#told(Number(found[1]));
  }

  handBack(request: Request): void {
    releaseRequest(request);
  }
}
