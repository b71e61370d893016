import { replyLineEnd, replyNumber } from '../../lib/codec/resp/index.ts';
import type { Link, LinkRole } from '../core/link.ts';
import type { Router } from '../core/router.ts';
import type { UpstreamNode } from '../core/topology.ts';

const WORD = 'invalidate';
const ARRAY = 0x2a;
const TRACKING = [['CLIENT', 'TRACKING', 'ON']];

/** Hears of what nodes tell. `source` is the number of the link. */
export interface SourceListener {
  /** The key `buffer[start, end)` has changed. */
  changed(buffer: Buffer, start: number, end: number): void;
  /** All keys may have changed, or the link was lost and nobody knows. */
  lost(source: number): void;
}

/** A link that fills go over. */
export interface SourceLink {
  readonly link: Link;
  readonly source: number;
}

/**
 * The links over which the near cache reads: one to each leader that it reads from, in RESP3, on which the node tells of each change of what was read,
 * in order with the replies.
 */
export class FillLinks {
  readonly #router: Router;
  readonly #listener: SourceListener;
  readonly #links = new Map<UpstreamNode, SourceLink>();
  readonly #freeSources: number[] = [];

  constructor(router: Router, listener: SourceListener) {
    this.#router = router;
    this.#listener = listener;
  }

  /** The link to this node, which is opened when there is none; null: it is not ready yet, or no more may be opened. */
  readyLink(node: UpstreamNode): SourceLink | null {
    const present = this.#links.get(node) ?? this.#open(node);
    return present?.link.isReady ? present : null;
  }

  /** Closes the links to nodes that are not among `leaders`. */
  keepOnly(leaders: ReadonlySet<UpstreamNode | null>): void {
    for (const node of [...this.#links.keys()]) if (!leaders.has(node)) this.#close(node);
  }

  #open(node: UpstreamNode): SourceLink | null {
    const source = this.#freeSources.pop() ?? this.#links.size;
    const link = this.#router.openOwnLink(node, { protocol: 3, database: 0 }, this.#roleOf(source));
    if (link === null) {
      this.#freeSources.push(source);
      return null;
    }
    const made = { link, source };
    this.#links.set(node, made);
    return made;
  }

  #close(node: UpstreamNode): void {
    const { link, source } = this.#links.get(node)!;
    this.#links.delete(node);
    this.#listener.lost(source);
    this.#freeSources.push(source);
    this.#router.closeOwnLink(link);
  }

  #roleOf(source: number): LinkRole {
    return {
      greeting: async () => TRACKING,
      onPush: (buffer, start) => this.#heard(buffer, start, source),
      onLost: () => this.#listener.lost(source),
    };
  }

  #heard(buffer: Buffer, start: number, source: number): void {
    const word = replyLineEnd(buffer, start);
    const from = replyLineEnd(buffer, word);
    const keysAt = from + replyNumber(buffer, word) + 2;
    if (buffer.latin1Slice(from, keysAt - 2) !== WORD) return;
    if (buffer[keysAt] !== ARRAY) {
      this.#listener.lost(source);
      return;
    }
    let at = replyLineEnd(buffer, keysAt);
    for (let left = replyNumber(buffer, keysAt); left > 0; left--) {
      const keyStart = replyLineEnd(buffer, at);
      const keyEnd = keyStart + replyNumber(buffer, at);
      this.#listener.changed(buffer, keyStart, keyEnd);
      at = keyEnd + 2;
    }
  }
}
