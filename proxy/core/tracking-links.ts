import type { CommandPart } from '../../lib/codec/resp/index.ts';
import { encodeCommand, replyLineEnd, replyNumber } from '../../lib/codec/resp/index.ts';
import type { TrackingState } from '../../lib/commands/index.ts';
import { Fence } from './fence.ts';
import type { Link, LinkRole } from './link.ts';
import { LinkLane, laneWithoutLink } from './link-lane.ts';
import type { OwnLinks } from './own-links.ts';
import { PrivateConnection } from './private-connection.ts';
import { acquireRequest, discard } from './request.ts';
import type { Router } from './router.ts';
import { linkSlot, type UpstreamNode } from './topology.ts';
import type { UnitLane, UnitLanes } from './transaction-lanes.ts';

const WORD = 'invalidate';

/** Hears of what a tracked client has to forget. */
export interface InvalidationListener {
  /** What the client speaks. */
  readonly protocol: 2 | 3;
  /**
   * `buffer[start, end)` is an array of keys, or null for all, as RESP3 has it. `isInOrder`: replies that came before it from the same node were read
   * before this, and those that came behind it were not.
   */
  invalidated(buffer: Buffer, start: number, end: number, isInOrder: boolean): void;
  /** Nodes may have missed something, or have nobody to tell: everything is to be forgotten. */
  lost(): void;
}

/**
 * The links of one tracked client: one to each node that its commands go to, on which the node tracks what is read. Over RESP3 links
 * invalidations come in order with the replies. RESP2 cannot carry them: there a connection beside the links gets them, as a
 * client of Redis would do it by REDIRECT.
 *
 * Whenever a link is lost, or a shard has another leader, the client is to forget everything.
 */
export class TrackingLinks implements OwnLinks, UnitLanes {
  readonly #router: Router;
  readonly #listener: InvalidationListener;
  readonly #links = new Map<UpstreamNode, (Link | undefined)[]>();
  readonly #receivers = new Map<UpstreamNode, Promise<PrivateConnection>>();
  readonly #onChanged = () => this.#changed();
  #state: TrackingState;
  /** The ring, and who led which shard, as of the last look. */
  #ring: unknown;
  #leaders: ReadonlyMap<string, UpstreamNode | null>;
  #isClosed = false;

  constructor(router: Router, state: TrackingState, listener: InvalidationListener) {
    this.#router = router;
    this.#state = state;
    this.#listener = listener;
    this.#ring = router.ring;
    this.#leaders = leadersOf(router);
    router.changed.add(this.#onChanged);
  }

  linkTo(node: UpstreamNode, protocol: 2 | 3, database: number): Link | null {
    let links = this.#links.get(node);
    if (links === undefined) {
      links = [];
      this.#links.set(node, links);
    }
    const slot = linkSlot(protocol, database);
    const present = links[slot];
    if (present !== undefined && !present.isClosing) return present;
    const link = this.#router.openOwnLink(node, { protocol, database }, this.#roleOf(node, protocol));
    links[slot] = link ?? undefined;
    return link;
  }

  /** What a unit reads over this lane is tracked. */
  laneTo(node: UpstreamNode, protocol: 2 | 3, database: number): UnitLane {
    const link = this.linkTo(node, protocol, database);
    if (link !== null) return new LinkLane(this.#router, link);
    const { maxPrivateConnectionsPerNode } = this.#router.env.settings;
    return laneWithoutLink(
      `OVERLOADED ${maxPrivateConnectionsPerNode} connections of single clients are in use (proxy.limits.maxPrivateConnectionsPerNode)`,
    );
  }

  /** Calls `done` once all that its nodes have told so far was heard of; at once when there is no link. */
  fence(done: () => void): void {
    const fence = new Fence(this.#router, done);
    for (const links of this.#links.values()) for (const link of links) if (link?.isReady) fence.ask(link);
    fence.seal();
  }

  /** Other options, on links to come and on those that are there. */
  update(state: TrackingState): void {
    const before = this.#state.prefixes;
    const added = [...state.prefixes].filter((prefix) => !before.has(prefix));
    this.#state = state;
    for (const [node, links] of this.#links) {
      for (const link of links) if (link?.isReady) void this.#renew(node, link, added);
    }
  }

  /** Closes everything, once what was sent is answered. */
  close(): void {
    this.#isClosed = true;
    this.#router.changed.delete(this.#onChanged);
    for (const links of this.#links.values())
      for (const link of links) if (link) this.#router.closeOwnLink(link);
    this.#links.clear();
    for (const node of [...this.#receivers.keys()]) this.#closeReceiver(node);
  }

  async #renew(node: UpstreamNode, link: Link, added: readonly string[]): Promise<void> {
    const parts = await this.#command(node, link.protocol, added);
    if (link.isClosing) return;
    const request = acquireRequest();
    request.bytes = encodeCommand(...parts);
    request.end = request.bytes.length;
    request.protocol = link.protocol;
    request.startedMs = this.#router.env.clock.monotonicMs();
    request.sink = discard;
    link.enqueue(request, request.startedMs);
  }

  #roleOf(node: UpstreamNode, protocol: 2 | 3): LinkRole {
    return {
      greeting: async () => [await this.#command(node, protocol, [...this.#state.prefixes])],
      onPush: (buffer, start, end) => this.#heard(buffer, start, end, true),
      onLost: () => this.#lost(),
    };
  }

  /** Of all keys (an empty prefix) a node tells when it is given no prefix. */
  async #command(node: UpstreamNode, protocol: 2 | 3, prefixes: readonly string[]): Promise<CommandPart[]> {
    const { isBroadcast, noLoop } = this.#state;
    const parts: CommandPart[] = ['CLIENT', 'TRACKING', 'ON'];
    if (protocol === 2) parts.push('REDIRECT', (await this.#receiverOf(node)).remoteId ?? '');
    if (noLoop) parts.push('NOLOOP');
    if (isBroadcast) parts.push('BCAST');
    if (prefixes.includes('')) return parts;
    for (const prefix of prefixes) parts.push('PREFIX', Buffer.from(prefix, 'latin1'));
    return parts;
  }

  #receiverOf(node: UpstreamNode): Promise<PrivateConnection> {
    let receiver = this.#receivers.get(node);
    if (receiver !== undefined) return receiver;
    receiver = PrivateConnection.open(node, { protocol: 3, database: 0, router: this.#router });
    this.#receivers.set(node, receiver);
    receiver.then(
      (connection) => {
        connection.onPush = (buffer, start, end) => this.#heard(buffer, start, end, false);
        connection.onClosed = (reason) => this.#receiverLost(node, reason);
        if (this.#isClosed) connection.close();
      },
      () => this.#receivers.delete(node),
    );
    return receiver;
  }

  /** Its links would be tracked for nobody. */
  #receiverLost(node: UpstreamNode, reason: string): void {
    this.#receivers.delete(node);
    for (const link of this.#links.get(node) ?? []) if (link?.protocol === 2) link.reset(reason);
    this.#lost();
  }

  #closeReceiver(node: UpstreamNode): void {
    this.#receivers.get(node)?.then((connection) => connection.close(), ignore);
    this.#receivers.delete(node);
  }

  #heard(buffer: Buffer, start: number, end: number, isInOrder: boolean): void {
    if (this.#isClosed) return;
    const word = replyLineEnd(buffer, start);
    const from = replyLineEnd(buffer, word);
    const wordEnd = from + replyNumber(buffer, word);
    if (buffer.latin1Slice(from, wordEnd) === WORD)
      this.#listener.invalidated(buffer, wordEnd + 2, end, isInOrder);
  }

  #lost(): void {
    if (!this.#isClosed) this.#listener.lost();
  }

  /** The ring has changed, or only who leads. */
  #changed(): void {
    const router = this.#router;
    const leaders = leadersOf(router);
    const hasMoved =
      this.#ring !== router.ring ||
      [...this.#leaders].some(([shard, leader]) => leaders.get(shard) !== leader);
    this.#ring = router.ring;
    this.#leaders = leaders;
    const present = new Set(router.nodes);
    for (const node of [...this.#links.keys()]) {
      if (present.has(node)) continue;
      this.#links.delete(node);
      this.#closeReceiver(node);
    }
    if (hasMoved) this.#lost();
    if (this.#state.isBroadcast) this.#openToLeaders();
  }

  /** In broadcasting mode nodes tell of keys that were never read: there have to be links before there are commands. */
  #openToLeaders(): void {
    for (const leader of this.#leaders.values()) {
      if (leader !== null && !(this.#links.get(leader) ?? []).some((link) => link !== undefined))
        this.linkTo(leader, this.#listener.protocol, 0);
    }
  }
}

function leadersOf({ routes }: Router): ReadonlyMap<string, UpstreamNode | null> {
  return new Map(routes.map(({ name, leader }) => [name, leader]));
}

function ignore(): void {}
