import type { Databases } from '../databases.ts';
import { OutputGuard } from '../server/output-limit.ts';
import type { OutputLimit } from '../settings/kinds-of-lists.ts';
import { FRAME_OVERHEAD_BYTES, FrameWriter } from './frame-writer.ts';
import { writeLease } from './frames.ts';
import type { ReplicationLog, Segment } from './replication-log.ts';
import { SnapshotReader } from './snapshot.ts';

/** What one write holds at most before the socket is asked whether it keeps up; single values may be larger. */
const PENDING_BYTES = 512 * 1024;

/** The way to a follower. */
export interface LinkTransport {
  /** Bytes that have not left for the network yet. */
  readonly pendingBytes: number;
  /** Whole frames only. */
  write(bytes: Buffer): void;
  close(reason: string): void;
}

/** What a link works on. */
export interface LinkSource {
  readonly log: ReplicationLog;
  readonly databases: Databases;
  /** How much of the stream may wait for the follower. */
  readonly outputLimit: () => OutputLimit;
}

/**
 * The leader's end of the link to one follower: sends the stream from an offset on and, for a full sync, slices of a snapshot in between.
 *
 * The snapshot needs no copy of the data set and no buffer of its own: a slice holds entries as they are at that moment, and goes out only
 * when all of the stream up to that moment has gone before. What the stream says about an entry the snapshot has not reached
 * is overwritten when it does.
 */
export class FollowerLink {
  readonly id: string;
  readonly address: string;
  readonly #source: LinkSource;
  readonly #transport: LinkTransport;
  #segment: Segment;
  /** Bytes of `#segment` that have been sent. */
  #sent: number;
  #snapshot: SnapshotReader | null;
  readonly #guard = new OutputGuard();
  /** The follower's last acknowledgement. */
  ackOffset = -1;
  /** When it last acknowledged something, or granted the lease, monotonic milliseconds. */
  heardAtMs = 0;
  /** Since when the follower has not been level, monotonic milliseconds; -1 while it is. */
  behindSinceMs = -1;

  constructor(fields: {
    id: string;
    address: string;
    source: LinkSource;
    transport: LinkTransport;
    offset: number;
    fullSync: boolean;
  }) {
    this.id = fields.id;
    this.address = fields.address;
    this.#source = fields.source;
    this.#transport = fields.transport;
    this.#segment = fields.source.log.segmentAt(fields.offset);
    this.#sent = fields.offset - this.#segment.offset;
    this.#snapshot = fields.fullSync ? new SnapshotReader(fields.source.databases) : null;
  }

  /** Whether the follower has the whole data set and only follows the stream. */
  get isStreaming(): boolean {
    return this.#snapshot === null && this.ackOffset >= 0;
  }

  /** Offset up to which the stream has been handed to the transport. */
  get sentOffset(): number {
    return this.#segment.offset + this.#sent;
  }

  /** Sends what may be sent now. Returns whether there is more that does not wait for the transport: call again next turn. */
  pump(nowMs: number): boolean {
    const { log } = this.#source;
    this.#sendStream();
    if (this.closesBehind(nowMs)) return false;
    if (this.#snapshot === null || this.sentOffset < log.end || this.#isFull) return false;
    this.#transport.write(this.#snapshot.next(log.end));
    if (this.#snapshot.isDone) this.#snapshot = null;
    return this.#snapshot !== null && !this.#isFull;
  }

  /** Closes the link, and says so, when more of the stream waits than the limits allow. To be called from time to time too. */
  closesBehind(nowMs: number): boolean {
    const { log, outputLimit } = this.#source;
    const behind = log.end - this.sentOffset + this.#transport.pendingBytes;
    const limit = outputLimit();
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
    for (;;) {
      while (this.#sent === this.#segment.length && this.#segment.next) {
        this.#segment = this.#segment.next;
        this.#sent = 0;
      }
      if (this.#sent === this.#segment.length || this.#isFull) return;
      // Up to the end of the segment, which is the end of a frame: other frames may be written behind it.
      this.#transport.write(this.#segment.buffer.subarray(this.#sent, this.#segment.length));
      this.#sent = this.#segment.length;
    }
  }

  /** Asks for the lease; also tells the follower that the leader is alive. */
  sendLease(epoch: number, seq: number): void {
    const writer = new FrameWriter(Buffer.allocUnsafe(FRAME_OVERHEAD_BYTES));
    writeLease(writer, epoch, seq);
    this.#transport.write(writer.buffer.subarray(0, writer.at));
  }

  /** The follower has the stream up to `offset`. */
  acknowledged(offset: number, nowMs: number): void {
    this.heardAtMs = nowMs;
    if (offset > this.ackOffset) this.ackOffset = offset;
    if (this.ackOffset >= this.#source.log.end) this.behindSinceMs = -1;
    else if (this.behindSinceMs < 0) this.behindSinceMs = nowMs;
  }

  /** Milliseconds since the follower was last level; 0 when it is. */
  lagMs(nowMs: number): number {
    return this.ackOffset >= this.#source.log.end || this.behindSinceMs < 0 ? 0 : nowMs - this.behindSinceMs;
  }

  close(reason: string): void {
    this.#transport.close(reason);
  }
}
