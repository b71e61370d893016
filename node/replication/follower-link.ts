import type { SnapshotWriter } from '../persistence/index.ts';
import { OutputGuard } from '../server/output-limit.ts';
import type { OutputLimit } from '../settings/kinds-of-lists.ts';
import type { ReplicationLog, Segment } from './replication-log.ts';

/** What one write holds at most before the socket is asked whether it keeps up; single values may be larger. */
const PENDING_BYTES = 512 * 1024;
/** A slice of a snapshot: small enough that clients do not notice it. */
const SLICE_BYTES = 64 * 1024;

/** The way to a follower. */
export interface LinkTransport {
  /** Bytes that have not left for the network yet. */
  readonly pendingBytes: number;
  write(bytes: Buffer): void;
  close(reason: string): void;
}

/** What a link works on. */
export interface LinkSource {
  readonly log: ReplicationLog;
  /** Offset up to which the stream may leave this node. */
  readonly sendableEnd: () => number;
  /** How much of the stream may wait for the follower. */
  readonly outputLimit: () => OutputLimit;
}

/** A data set to be sent before the stream. */
export interface FullSync {
  readonly snapshot: SnapshotWriter;
  /** 40 characters that end it, for a follower that understands that; null for one that wants to know its length before. */
  readonly mark: string | null;
}

/** Who follows. */
export interface FollowerIdentity {
  /** Id of the node, or the address of a redis-server. */
  readonly id: string;
  readonly address: string;
  /** The host it wants to be known by. */
  readonly host: string;
  /** The port it listens at, 0 when it did not say. */
  readonly port: number;
  /** A node, not a redis-server. */
  readonly isNode: boolean;
}

/**
 * The leader's end of the link to one follower: sends a snapshot when it needs one, and the stream from the offset of that snapshot on,
 * which the log keeps for it meanwhile.
 *
 * A follower that is told the end of the snapshot by a mark says when it has loaded it; before, nothing may come behind the mark.
 */
export class FollowerLink {
  readonly id: string;
  readonly follower: FollowerIdentity;
  readonly #source: LinkSource;
  readonly #transport: LinkTransport;
  #segment: Segment;
  /** Bytes of `#segment` that have been sent. */
  #sent: number;
  #full: FullSync | null;
  /** A snapshot whose length has to be known before it is sent. */
  #gathered: Buffer[] = [];
  #gatheredBytes = 0;
  #hasBegun = false;
  #awaitsLoaded = false;
  readonly #guard = new OutputGuard();
  /** The follower's last acknowledgement. */
  ackOffset = -1;
  /** When it last acknowledged something, or granted the lease, monotonic milliseconds. */
  heardAtMs = 0;
  /** Since when the follower has not been level, monotonic milliseconds; -1 while it is. */
  behindSinceMs = -1;

  constructor(fields: {
    follower: FollowerIdentity;
    source: LinkSource;
    transport: LinkTransport;
    offset: number;
    full: FullSync | null;
  }) {
    this.id = fields.follower.id;
    this.follower = fields.follower;
    this.#source = fields.source;
    this.#transport = fields.transport;
    this.#segment = fields.source.log.segmentAt(fields.offset);
    this.#sent = fields.offset - this.#segment.offset;
    this.#full = fields.full;
  }

  get address(): string {
    return this.follower.address;
  }

  /** Whether the follower is being sent a snapshot, or loads it. */
  get isSyncing(): boolean {
    return this.#full !== null || this.#awaitsLoaded;
  }

  /** Whether the follower has the whole data set and only follows the stream. */
  get isStreaming(): boolean {
    return !this.isSyncing && this.ackOffset >= 0;
  }

  /** Offset up to which the stream has been handed to the transport. */
  get sentOffset(): number {
    return this.#segment.offset + this.#sent;
  }

  /** Sends what may be sent now. Returns whether there is more that does not wait for the transport: call again next turn. */
  pump(nowMs: number): boolean {
    if (this.#full === null && !this.#awaitsLoaded) this.#sendStream();
    if (this.closesBehind(nowMs) || this.#full === null || this.#isFull) return false;
    // What the snapshot holds is of before this offset.
    if (!this.#hasBegun && this.#source.sendableEnd() < this.sentOffset) return false;
    this.#sendSnapshot(this.#full);
    return !this.#isFull && (this.#full !== null || !this.#awaitsLoaded);
  }

  #sendSnapshot({ snapshot, mark }: FullSync): void {
    if (!this.#hasBegun && mark !== null) this.#transport.write(Buffer.from(`$EOF:${mark}\r\n`));
    this.#hasBegun = true;
    const bytes = snapshot.next(SLICE_BYTES);
    if (snapshot.isAborted) {
      this.close('the data set was cleared during the full sync: it has to begin anew');
      return;
    }
    if (bytes !== null && bytes.length > 0) this.#take(bytes, mark);
    if (!snapshot.isDone) return;
    this.#full = null;
    this.#awaitsLoaded = mark !== null;
    if (mark !== null) this.#transport.write(Buffer.from(mark));
    else this.#sendGathered();
  }

  #take(bytes: Buffer, mark: string | null): void {
    if (mark !== null) this.#transport.write(bytes);
    else {
      this.#gathered.push(bytes);
      this.#gatheredBytes += bytes.length;
    }
  }

  #sendGathered(): void {
    this.#transport.write(Buffer.concat([Buffer.from(`$${this.#gatheredBytes}\r\n`), ...this.#gathered]));
    this.#gathered = [];
    this.#gatheredBytes = 0;
  }

  /** Closes the link, and says so, when more of the stream waits than the limits allow. To be called from time to time too. */
  closesBehind(nowMs: number): boolean {
    const { log, outputLimit } = this.#source;
    const behind = log.end - this.sentOffset + this.#transport.pendingBytes + this.#gatheredBytes;
    const { hardBytes, ...soft } = outputLimit();
    // The backlog is there in any case, and all of it may be on its way to a follower that comes back; so Redis has it too.
    const limit = { ...soft, hardBytes: hardBytes && Math.max(hardBytes, log.backlogBytes) };
    if (!this.#guard.closes(limit, behind, nowMs)) return false;
    const limits = `${limit.hardBytes}, or ${limit.softBytes} for ${limit.softSeconds} s`;
    this.close(
      `${behind} bytes wait for this follower: more than replication.maxOutputBytes or client-output-buffer-limit replica (${limits})`,
    );
    return true;
  }

  get #isFull(): boolean {
    return this.#transport.pendingBytes >= PENDING_BYTES;
  }

  #sendStream(): void {
    const end = this.#source.sendableEnd();
    for (;;) {
      while (this.#sent === this.#segment.length && this.#segment.next) {
        this.#segment = this.#segment.next;
        this.#sent = 0;
      }
      const upTo = Math.min(this.#segment.length, end - this.#segment.offset);
      if (upTo <= this.#sent || this.#isFull) return;
      this.#transport.write(this.#segment.buffer.subarray(this.#sent, upTo));
      this.#sent = upTo;
    }
  }

  /** The follower has the stream up to `offset`. Returns whether that says that it has loaded its snapshot. */
  acknowledged(offset: number, nowMs: number): boolean {
    this.heardAtMs = nowMs;
    const hasLoaded = this.#awaitsLoaded;
    this.#awaitsLoaded = false;
    if (offset > this.ackOffset) this.ackOffset = offset;
    if (this.ackOffset >= this.#source.log.end) this.behindSinceMs = -1;
    else if (this.behindSinceMs < 0) this.behindSinceMs = nowMs;
    return hasLoaded;
  }

  /** Bytes of the stream that the follower has not acknowledged. */
  get lagBytes(): number {
    return this.#source.log.end - Math.max(0, this.ackOffset);
  }

  /** Milliseconds since the follower was last level; 0 when it is. */
  lagMs(nowMs: number): number {
    return this.ackOffset >= this.#source.log.end || this.behindSinceMs < 0 ? 0 : nowMs - this.behindSinceMs;
  }

  /** Whole seconds since the follower said something, as Redis counts lag; 0 before it has everything. */
  lagSeconds(nowMs: number): number {
    return this.isStreaming ? Math.floor((nowMs - this.heardAtMs) / 1000) : 0;
  }

  /** `wait_bgsave`, `send_bulk` or `online`, as Redis calls them. */
  get state(): string {
    if (!this.isSyncing) return 'online';
    return this.#hasBegun ? 'send_bulk' : 'wait_bgsave';
  }

  close(reason: string): void {
    this.#transport.close(reason);
  }

  /** The connection is gone. */
  ended(): void {
    this.#full?.snapshot.close();
    this.#full = null;
    this.#gathered = [];
  }
}
