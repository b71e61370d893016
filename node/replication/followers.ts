import type { Clock } from '../../lib/base/index.ts';
import type { DataSet } from '../data-set.ts';
import type { Settings } from '../settings.ts';
import type { FollowerLink } from './follower-link.ts';
import type { ReplicationLog } from './replication-log.ts';
import type { StreamEncoder } from './stream-encoder.ts';

/** Lease requests whose send time is remembered: far more than fit one lease. */
const REMEMBERED_REQUESTS = 64;
/** A follower granted the lease of `epoch` that was asked for at `sentAtMs`. */
export type GrantListener = (id: string, epoch: number, sentAtMs: number) => void;

/**
 * A leader's followers: pushes the stream to all of them once per turn of the event loop, asks for the lease, and knows how far each
 * has come.
 */
export class Followers {
  readonly #data: DataSet;
  readonly #settings: Settings;
  readonly #log: ReplicationLog;
  readonly #stream: StreamEncoder;
  readonly #clock: Clock;
  readonly #links = new Set<FollowerLink>();
  /** Called when a follower acknowledged, came or went. */
  onProgress: () => void = () => {};
  /** Called when the stream may have grown. */
  onStream: () => void = () => {};
  onGrant: GrantListener = () => {};
  /** Shard epoch to ask the lease for. */
  epoch = 0;
  /** Followers that count for `ack: replica`; null: all. */
  listed: ReadonlySet<string> | null = null;
  /** The stream is another node's, which is passed on: nothing of this node's own may be in it. */
  get relays(): boolean {
    return this.#data.isPassedOn;
  }

  /** This node says nothing of itself in the stream any more, so that followers reach its end: it is about to end. */
  isQuiet = false;
  #pumpScheduled = false;
  #wantsAcknowledgement = false;
  #seq = 0;
  #pingedAtMs = 0;
  readonly #requests = new Map<number, { epoch: number; sentAtMs: number }>();

  constructor(data: DataSet, clock: Clock, settings: Settings) {
    this.#data = data;
    this.#log = data.log;
    this.#stream = data.stream;
    this.#clock = clock;
    this.#settings = settings;
  }

  get links(): ReadonlySet<FollowerLink> {
    return this.#links;
  }

  add(link: FollowerLink): void {
    for (const other of this.#links)
      if (other.id === link.id) other.close('the follower opened another link');
    this.#links.add(link);
    this.askForLease();
    this.wake();
    this.onProgress();
  }

  remove(link: FollowerLink): void {
    link.ended();
    if (this.#links.delete(link)) this.onProgress();
  }

  closeAll(reason: string): void {
    for (const link of [...this.#links]) link.close(reason);
  }

  /** Up to where all have acknowledged the stream; Infinity without followers. */
  get acknowledgedOffset(): number {
    let offset = Number.POSITIVE_INFINITY;
    for (const { ackOffset } of this.#links) offset = Math.min(offset, ackOffset);
    return offset;
  }

  /** There is something to send: does so at the end of this turn. */
  wake(): void {
    this.onStream();
    this.proceed();
  }

  /** More of the stream may leave: does so at the end of this turn. */
  proceed(): void {
    if (this.#pumpScheduled || this.#links.size === 0) return;
    this.#pumpScheduled = true;
    setImmediate(() => {
      this.#pumpScheduled = false;
      this.#pump();
    });
  }

  #pump(): void {
    const nowMs = this.#clock.monotonicMs();
    if (this.#wantsAcknowledgement && !this.isQuiet) {
      this.#wantsAcknowledgement = false;
      this.#stream.signal('REPLCONF', 'GETACK', '*');
    }
    let more = false;
    for (const link of this.#links) {
      if (link.behindSinceMs < 0 && link.ackOffset < this.#log.end) link.behindSinceMs = nowMs;
      if (link.pump(nowMs)) more = true;
    }
    if (more) this.wake();
  }

  /** Asks the nodes among the followers for the lease, in the stream; to be called every `pingMs`. */
  askForLease(): void {
    if (this.isQuiet) return;
    const nowMs = this.#clock.monotonicMs();
    let hasNodes = false;
    for (const link of [...this.#links])
      if (!link.closesBehind(nowMs) && link.follower.isNode) hasNodes = true;
    if (this.relays) return;
    if (hasNodes) this.#stream.note('RS.LEASE', String(this.epoch), String(this.#nextRequest(nowMs)));
    else if (this.#links.size > 0 && nowMs - this.#pingedAtMs >= this.#settings.replPingMs) {
      this.#pingedAtMs = nowMs;
      this.#stream.signal('PING');
    }
    this.wake();
  }

  /**
   * Somebody waits for acknowledgements: a redis-server gives one every second, or when it is asked. Behind the turn, so that the question is
   * not among what the client has written, and is asked once for all who wait.
   */
  askForAcknowledgement(): void {
    if (this.#links.size === 0 || this.isQuiet) return;
    this.#wantsAcknowledgement = true;
    this.wake();
  }

  #nextRequest(nowMs: number): number {
    const seq = ++this.#seq;
    this.#requests.set(seq, { epoch: this.epoch, sentAtMs: nowMs });
    this.#requests.delete(seq - REMEMBERED_REQUESTS);
    return seq;
  }

  leaseAnswered(link: FollowerLink, seq: number): void {
    link.heardAtMs = this.#clock.monotonicMs();
    const request = this.#requests.get(seq);
    if (request) this.onGrant(link.id, request.epoch, request.sentAtMs);
  }

  acknowledged(link: FollowerLink, offset: number): void {
    const hasLoaded = link.acknowledged(offset, this.#clock.monotonicMs());
    if (hasLoaded && link.follower.isNode && !this.relays) this.#stream.note('RS.LEVEL', link.id);
    if (hasLoaded) this.wake();
    this.onProgress();
  }

  /** Followers that have the whole data set and the stream up to `offset`. */
  countAt(offset: number): number {
    let count = 0;
    for (const link of this.#links) if (link.isStreaming && link.ackOffset >= offset) count++;
    return count;
  }

  /** Followers that have the whole data set and were heard of within `maxLagMs`, in whole seconds as in Redis: they speak every second. */
  countGood(maxLagMs: number): number {
    const nowMs = this.#clock.monotonicMs();
    let count = 0;
    for (const link of this.#links) {
      if (link.isStreaming && 1000 * link.lagSeconds(nowMs) <= maxLagMs) count++;
    }
    return count;
  }

  /** How far the most advanced follower that counts for `ack: replica` has come; -1 when none is connected. */
  get replicatedOffset(): number {
    let offset = -1;
    for (const link of this.#links) {
      if (link.isStreaming && this.#counts(link)) offset = Math.max(offset, link.ackOffset);
    }
    return offset;
  }

  #counts(link: FollowerLink): boolean {
    return this.listed === null || this.listed.has(link.id);
  }
}
