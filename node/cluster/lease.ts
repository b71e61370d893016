/** The part of a lease its holder uses: the rest is the margin for clocks that run at different speeds. */
const USED_FRACTION = 2 / 3;

/**
 * The right of a shard's leader to acknowledge writes at one shard epoch.
 *
 * The control plane renews it with each granted heartbeat; the followers listed in the leader's document renew it together with their answers
 * to `RS.LEASE`; whichever renewal reaches further counts. Either way it runs for 2/3 of `leaseMs` from the moment the renewal was
 * SENT, on the leader's monotonic clock, while those who grant it count the whole `leaseMs` from a later moment: so it is over
 * here before anybody may give it to somebody else. A leader that is listed alone needs nobody.
 *
 * Pure: every time is an argument, in monotonic milliseconds.
 */
export class Lease {
  #epoch = -1;
  #usedMs = 0;
  #controlPlaneSentAt = -Infinity;
  /** Per listed follower, when the newest renewal it answered was sent. */
  #followersSentAt = new Map<string, number>();

  /** Begins anew for a leader at `epoch`: no renewal of before counts. The same epoch again only updates list and duration. */
  hold(epoch: number, leaseMs: number, listedFollowers: readonly string[]): void {
    if (epoch !== this.#epoch) {
      this.drop();
      this.#epoch = epoch;
    }
    this.#usedMs = leaseMs * USED_FRACTION;
    const before = this.#followersSentAt;
    this.#followersSentAt = new Map(listedFollowers.map((id) => [id, before.get(id) ?? -Infinity]));
  }

  /** The node leads no more. */
  drop(): void {
    this.#epoch = -1;
    this.#controlPlaneSentAt = -Infinity;
    this.#followersSentAt.clear();
  }

  /** The control plane granted the heartbeat that was sent at `sentAtMs`, for the leader of `epoch`. */
  grantedByControlPlane(epoch: number, sentAtMs: number): void {
    if (epoch === this.#epoch) this.#controlPlaneSentAt = Math.max(this.#controlPlaneSentAt, sentAtMs);
  }

  /** A follower granted the renewal of `epoch` that was sent at `sentAtMs`. One that is not listed does not count. */
  grantedByFollower(id: string, epoch: number, sentAtMs: number): void {
    const before = this.#followersSentAt.get(id);
    if (epoch === this.#epoch && before !== undefined && sentAtMs > before)
      this.#followersSentAt.set(id, sentAtMs);
  }

  /** When the lease ends: Infinity for a leader listed alone, -Infinity for a node that does not lead. */
  get endsAtMs(): number {
    if (this.#epoch < 0) return -Infinity;
    let all = Infinity;
    for (const sentAt of this.#followersSentAt.values()) all = Math.min(all, sentAt);
    return Math.max(this.#controlPlaneSentAt, all) + this.#usedMs;
  }

  isHeld(nowMs: number): boolean {
    return nowMs < this.endsAtMs;
  }
}
