import type { Clock } from '../../lib/base/index.ts';
import type { Link } from './link.ts';
import { linkSlot, type UpstreamNode } from './topology.ts';

/** A link to a database other than 0 is closed after so long without an answer. */
const IDLE_MS = 60_000;
const SWEEP_MS = 1000;

/**
 * The links to databases other than 0: opened on demand by the router, counted per node, and retired when nobody has used them for a
 * minute. Those to database 0 stay for as long as their node.
 */
export class DatabaseLinks {
  readonly #clock: Clock;
  readonly #maxPerNode: number;
  readonly #links = new Set<Link>();
  #sweeper: NodeJS.Timeout | undefined;

  constructor(clock: Clock, maxPerNode: number) {
    this.#clock = clock;
    this.#maxPerNode = maxPerNode;
  }

  /** Makes room for one more at this node, at the cost of one that nobody waits for; false when there is none. */
  makeRoom(node: UpstreamNode): boolean {
    const present = node.links.filter(({ database, isPrivate }) => database !== 0 && !isPrivate);
    if (present.length < this.#maxPerNode) return true;
    const idle = present.filter(({ length }) => length === 0);
    if (idle.length === 0) return false;
    const oldest = idle.reduce((a, b) => (b.lastReceivedMs < a.lastReceivedMs ? b : a));
    this.#retire(oldest);
    return true;
  }

  add(link: Link): void {
    this.#links.add(link);
    this.#sweeper ??= setInterval(() => this.#sweep(), SWEEP_MS).unref();
  }

  /** To be called when a link goes for another reason. */
  remove(link: Link): void {
    this.#links.delete(link);
    const { links, linkSlots } = link.node;
    const at = links.indexOf(link);
    if (at >= 0) links.splice(at, 1);
    const slot = linkSlot(link.protocol, link.database);
    if (linkSlots[slot] === link) linkSlots[slot] = null;
    if (this.#links.size === 0) this.close();
  }

  close(): void {
    clearInterval(this.#sweeper);
    this.#sweeper = undefined;
  }

  #sweep(): void {
    const nowMs = this.#clock.monotonicMs();
    for (const link of this.#links) {
      if (link.length === 0 && nowMs - link.lastReceivedMs >= IDLE_MS) this.#retire(link);
    }
  }

  #retire(link: Link): void {
    this.remove(link);
    link.retire();
  }
}
