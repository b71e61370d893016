import { encodeCommand } from '../../lib/codec/resp/index.ts';
import { isErrorReply } from './frames.ts';
import { acquireRequest, type Request, releaseRequest, type Sink } from './request.ts';
import type { Router } from './router.ts';
import type { UpstreamNode } from './topology.ts';

/** What clients rely on whichever node leads: nodes that come to lead later are told as well. */
const KEPT: ReadonlySet<string> = new Set(['notify-keyspace-events']);
const RETRY_MS = 1000;

type Changes = readonly (readonly [name: string, value: string])[];

/**
 * Settings of the nodes that clients of this thread have set, by Redis's names. Leaders are told by whoever sets; this tells the followers, and of what
 * is kept also nodes that join and nodes that begin to lead, until they have taken it. The last value set by this thread counts.
 */
export class NodeSettings {
  readonly #router: Router;
  readonly #kept = new Map<string, string>();
  /** Nodes that have what is kept, or are being told. */
  readonly #told = new Set<UpstreamNode>();
  #leaders: ReadonlySet<UpstreamNode> = new Set();
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;
  readonly #onChanged = () => this.#changed();

  constructor(router: Router) {
    this.#router = router;
    router.changed.add(this.#onChanged);
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#router.changed.delete(this.#onChanged);
  }

  /** The leaders have taken these. */
  taken(changes: Changes): void {
    for (const [name, value] of changes) if (KEPT.has(name)) this.#kept.set(name, value);
    this.#leaders = this.#leadersNow();
    this.#told.clear();
    for (const leader of this.#leaders) this.#told.add(leader);
    for (const { followers } of this.#router.routes)
      for (const follower of followers) this.#tell(follower, changes);
  }

  #changed(): void {
    if (this.#kept.size === 0) return;
    const present = new Set(this.#router.nodes);
    for (const node of this.#told) if (!present.has(node)) this.#told.delete(node);
    const leaders = this.#leadersNow();
    for (const leader of leaders) if (!this.#leaders.has(leader)) this.#told.delete(leader);
    this.#leaders = leaders;
    this.#tellOthers();
  }

  #tellOthers(): void {
    this.#timer = undefined;
    for (const node of this.#router.nodes) if (!this.#told.has(node)) this.#tell(node, [...this.#kept]);
  }

  #tell(node: UpstreamNode, changes: Changes): void {
    const link = this.#router.linkTo(node, 2, 0);
    if (link === null) return;
    this.#told.add(node);
    const request = acquireRequest();
    request.bytes = encodeCommand('CONFIG', 'SET', ...changes.flat());
    request.end = request.bytes.length;
    request.startedMs = this.#router.env.clock.monotonicMs();
    // It is for this node alone.
    request.retries = 1;
    request.sink = this.#sinkFor(node);
    this.#router.submitOver(request, link);
  }

  #sinkFor(node: UpstreamNode): Sink {
    const failed = (request: Request) => {
      releaseRequest(request);
      this.#told.delete(node);
      if (this.#kept.size > 0 && !this.#isClosed)
        this.#timer ??= setTimeout(() => this.#tellOthers(), RETRY_MS).unref();
    };
    return {
      ready: (request) => {
        if (isErrorReply(request.bytes, request.start)) failed(request);
        else releaseRequest(request);
      },
      handBack: failed,
    };
  }

  #leadersNow(): Set<UpstreamNode> {
    return new Set(this.#router.routes.flatMap(({ leader }) => leader ?? []));
  }
}
