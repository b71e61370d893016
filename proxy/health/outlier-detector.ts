import { RollingCounts } from './rolling-counts.ts';

/** When a node is an outlier, and what follows. */
export interface OutlierOptions {
  /** So many failures in a row (timeouts, connections that fail or break) eject a node. */
  readonly consecutiveFailures: number;
  /** So does this part (0 to 1) of the outcomes of the last `windowMs`, once there are `minimumOutcomes` and unless half of the nodes fare about as badly. */
  readonly failureRatio: number;
  readonly minimumOutcomes: number;
  /** Milliseconds. */
  readonly windowMs: number;
  /** Milliseconds that a node stays ejected: this, times how often that happened lately, up to `maxEjectionMs`. */
  readonly ejectionMs: number;
  readonly maxEjectionMs: number;
  /** At most this part (0 to 1) of all nodes is ejected at once, but one always may be. */
  readonly maxEjectedRatio: number;
}

/** What the detector knows of one node. */
export class Candidate {
  readonly counts: RollingCounts;
  failuresInARow = 0;
  isEjected = false;
  /** Why it is or was ejected last. */
  reason = '';
  /** How often it was ejected lately: each quiet time as long as the last ejection takes one off. */
  ejections = 0;
  /** While ejected: monotonic milliseconds when it may be probed. Else: when the next ejection is forgotten. */
  untilMs = 0;
  isProbed = false;

  constructor(windowMs: number) {
    this.counts = new RollingCounts(windowMs);
  }
}

/**
 * Finds the nodes that fare worse than the others, by what happens to real requests. Does no I/O; `nowMs` is monotonic.
 *
 * An ejected node is asked for nothing that another one may answer. It returns only after a probe, made when its time is over, went well.
 *
 * Source: outlier detection of Envoy (consecutive failures, success rate, growing ejection time, maximal share); the probe before the return is
 * mcrouter's TKO.
 */
export class OutlierDetector {
  readonly #options: OutlierOptions;
  readonly #nodes = new Set<Candidate>();
  #ejected = 0;

  constructor(options: OutlierOptions) {
    this.#options = options;
  }

  /** Nodes that are ejected now. */
  get ejected(): number {
    return this.#ejected;
  }

  add(): Candidate {
    const node = new Candidate(this.#options.windowMs);
    this.#nodes.add(node);
    return node;
  }

  remove(node: Candidate): void {
    if (this.#nodes.delete(node) && node.isEjected) this.#ejected--;
  }

  /** `count` requests were answered, with whatever reply. */
  succeeded(node: Candidate, count: number, nowMs: number): void {
    node.failuresInARow = 0;
    node.counts.add(nowMs, count, 0);
  }

  /** `count` requests were not answered in time, or a connection failed. True: that ejects the node. */
  failed(node: Candidate, count: number, nowMs: number): boolean {
    node.failuresInARow += count;
    node.counts.add(nowMs, 0, count);
    if (node.isEjected || node.failuresInARow < this.#options.consecutiveFailures) return false;
    return this.#eject(node, `${node.failuresInARow} failures in a row`, nowMs);
  }

  /** Compares the nodes; to be called about once a second. The nodes that it ejects. */
  sweep(nowMs: number): Candidate[] {
    const { failureRatio, minimumOutcomes, windowMs } = this.#options;
    const judged: { node: Candidate; ratio: number; outcomes: number }[] = [];
    for (const node of this.#nodes) {
      this.#forgive(node, nowMs);
      const failures = node.counts.failures(nowMs);
      const outcomes = failures + node.counts.successes(nowMs);
      if (outcomes >= minimumOutcomes) judged.push({ node, ratio: failures / outcomes, outcomes });
    }
    const usual = median(judged.map(({ ratio }) => ratio));
    const isOutlier = ({ node, ratio }: (typeof judged)[number]) =>
      !node.isEjected && ratio >= failureRatio && (judged.length === 1 || ratio >= 2 * usual);
    return judged
      .filter(isOutlier)
      .sort((a, b) => b.ratio - a.ratio)
      .filter(({ node, ratio, outcomes }) =>
        this.#eject(
          node,
          `${Math.round(ratio * outcomes)} of ${outcomes} requests failed within ${windowMs} ms`,
          nowMs,
        ),
      )
      .map(({ node }) => node);
  }

  /** Whether a probe of this node is to be made now; its end must be told to `probed`. */
  wantsProbe(node: Candidate, nowMs: number): boolean {
    if (!node.isEjected || node.isProbed || nowMs < node.untilMs) return false;
    node.isProbed = true;
    return true;
  }

  /** A probe has ended. True: the node is back. */
  probed(node: Candidate, isGood: boolean, nowMs: number): boolean {
    node.isProbed = false;
    if (!node.isEjected) return false;
    if (!isGood) {
      this.#prolong(node, nowMs);
      return false;
    }
    node.isEjected = false;
    this.#ejected--;
    node.failuresInARow = 0;
    node.counts.clear();
    node.untilMs = nowMs + this.#ejectionMs(node);
    return true;
  }

  #eject(node: Candidate, reason: string, nowMs: number): boolean {
    const allowed = Math.max(1, Math.floor(this.#options.maxEjectedRatio * this.#nodes.size));
    if (this.#ejected >= allowed) return false;
    this.#ejected++;
    node.isEjected = true;
    node.reason = reason;
    this.#prolong(node, nowMs);
    return true;
  }

  #prolong(node: Candidate, nowMs: number): void {
    node.ejections++;
    node.untilMs = nowMs + this.#ejectionMs(node);
  }

  #ejectionMs({ ejections }: Candidate): number {
    const { ejectionMs, maxEjectionMs } = this.#options;
    return Math.min(ejections * ejectionMs, maxEjectionMs);
  }

  #forgive(node: Candidate, nowMs: number): void {
    if (node.isEjected || node.ejections === 0 || nowMs < node.untilMs) return;
    node.ejections--;
    node.untilMs = nowMs + this.#ejectionMs(node);
  }
}

function median(values: readonly number[]): number {
  if (values.length === 0) return 0;
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) / 2)];
}
