import type { Clock } from '../../lib/base/index.ts';
import type { FollowerLink } from './follower-link.ts';
import type { ReplicationLog } from './replication-log.ts';

/** Lease requests whose send time is remembered: far more than fit one lease. */
const REMEMBERED_REQUESTS = 64;

/** A follower granted the lease of `epoch` that was asked for at `sentAtMs`. */
export type GrantListener = (id: string, epoch: number, sentAtMs: number) => void;

/**
 * A leader's followers: pushes the stream to all of them once per turn of the event loop, asks for the lease, and knows how far each
 * has come.
 */
export class Followers {
  readonly #log: ReplicationLog;
  readonly #clock: Clock;
  readonly #links = new Set<FollowerLink>();
  /** Called when a follower acknowledged, came or went. */
  onProgress: () => void = () => {};
  onGrant: GrantListener = () => {};
  /** Shard epoch to ask the lease for. */
  epoch = 0;
  /** Followers that count for `ack: replica`; null: all. */
  listed: ReadonlySet<string> | null = null;
  #pumpScheduled = false;
  #seq = 0;
  readonly #requests = new Map<number, { epoch: number; sentAtMs: number }>();

  constructor(log: ReplicationLog, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
  }

  get links(): ReadonlySet<FollowerLink> {
    return this.#links;
  }

  add(link: FollowerLink): void {
    for (const other of this.#links)
      if (other.id === link.id) other.close('the follower opened another link');
    this.#links.add(link);
    link.sendLease(this.epoch, this.#nextRequest());
    this.wake();
    this.onProgress();
  }

  remove(link: FollowerLink): void {
    if (this.#links.delete(link)) this.onProgress();
  }

  closeAll(reason: string): void {
    for (const link of [...this.#links]) link.close(reason);
  }

  /** There is something to send: does so at the end of this turn. */
  wake(): void {
    if (this.#pumpScheduled || this.#links.size === 0) return;
    this.#pumpScheduled = true;
    setImmediate(() => {
      this.#pumpScheduled = false;
      this.#pump();
    });
  }

  #pump(): void {
    const nowMs = this.#clock.monotonicMs();
    let more = false;
    for (const link of this.#links) {
      if (link.behindSinceMs < 0 && link.ackOffset < this.#log.end) link.behindSinceMs = nowMs;
      if (link.pump(nowMs)) more = true;
    }
    if (more) this.wake();
  }

  /** Asks every follower for the lease; to be called every `pingMs`. */
  askForLease(): void {
    if (this.#links.size === 0) return;
    const seq = this.#nextRequest();
    const nowMs = this.#clock.monotonicMs();
    for (const link of [...this.#links]) if (!link.closesBehind(nowMs)) link.sendLease(this.epoch, seq);
  }

  #nextRequest(): number {
    const seq = ++this.#seq;
    this.#requests.set(seq, { epoch: this.epoch, sentAtMs: this.#clock.monotonicMs() });
    this.#requests.delete(seq - REMEMBERED_REQUESTS);
    return seq;
  }

  leaseAnswered(link: FollowerLink, seq: number): void {
    link.heardAtMs = this.#clock.monotonicMs();
    const request = this.#requests.get(seq);
    if (request) this.onGrant(link.id, request.epoch, request.sentAtMs);
  }

  acknowledged(link: FollowerLink, offset: number): void {
    link.acknowledged(offset, this.#clock.monotonicMs());
    this.onProgress();
  }

  /** Followers that have the whole data set and the stream up to `offset`. */
  countAt(offset: number): number {
    let count = 0;
    for (const link of this.#links) if (link.isStreaming && link.ackOffset >= offset) count++;
    return count;
  }

  /** Followers that have the whole data set and were heard of within `maxLagMs`; they speak at least every `pingMs`. */
  countGood(maxLagMs: number): number {
    const sinceMs = this.#clock.monotonicMs() - maxLagMs;
    let count = 0;
    for (const link of this.#links) if (link.isStreaming && link.heardAtMs >= sinceMs) count++;
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
