/** A write whose reply waits for a follower, or for the disk: where the reply is, and up to which offset they must have the stream first. */
export interface HeldReply {
  readonly start: number;
  readonly end: number;
  readonly offset: number;
  readonly awaitsFollower: boolean;
  readonly awaitsDisk: boolean;
}

/** Replies of one turn, in the order of their commands. */
export interface Output {
  readonly bytes: Buffer;
  /** Some of them acknowledge writes, so they may only go out under the lease. */
  readonly acknowledges: boolean;
  /** Those that wait; empty for none. */
  readonly held: readonly HeldReply[];
  /** Monotonic milliseconds at which waiting for a follower ends; Infinity when none waits for one. */
  readonly deadlineMs: number;
}

/** The replies a connection could not send yet, in order. */
export class OutputQueue {
  #items: Output[] = [];
  #head = 0;
  bytes = 0;

  get isEmpty(): boolean {
    return this.#head === this.#items.length;
  }

  /** The oldest; undefined when empty. */
  get first(): Output | undefined {
    return this.#items[this.#head];
  }

  push(output: Output): void {
    this.#items.push(output);
    this.bytes += output.bytes.length;
  }

  /** Takes the oldest out. */
  shift(): void {
    this.bytes -= this.#items[this.#head].bytes.length;
    this.#head++;
    if (this.#head < 64 && this.#head < this.#items.length) return;
    this.#items = this.#items.slice(this.#head);
    this.#head = 0;
  }

  /** Takes out the oldest and those behind it that wait for nothing either, as one, until it has `enoughBytes`. */
  shiftFree(enoughBytes: number): { readonly bytes: Buffer; readonly acknowledges: boolean } {
    const parts: Buffer[] = [];
    let bytes = 0;
    let acknowledges = false;
    for (let next = this.first; next !== undefined && next.held.length === 0; next = this.first) {
      if (parts.length > 0 && bytes + next.bytes.length > enoughBytes) break;
      parts.push(next.bytes);
      bytes += next.bytes.length;
      acknowledges ||= next.acknowledges;
      this.shift();
    }
    return { bytes: parts.length === 1 ? parts[0] : Buffer.concat(parts, bytes), acknowledges };
  }

  /** Calls `change` with each and puts what it returns in its place. */
  replaceAll(change: (output: Output) => Output): void {
    this.#items = this.#items.slice(this.#head).map(change);
    this.#head = 0;
    this.bytes = this.#items.reduce((sum, { bytes }) => sum + bytes.length, 0);
  }
}

/** The replies with errors in the place of those held for which `errorOf` gives one. */
export function withErrors(
  { bytes, held, acknowledges }: Output,
  errorOf: (held: HeldReply) => Buffer | null,
): Output {
  const parts: Buffer[] = [];
  let at = 0;
  let acknowledged = acknowledges;
  for (const reply of held) {
    const error = errorOf(reply);
    if (error === null) {
      acknowledged = true;
      continue;
    }
    parts.push(bytes.subarray(at, reply.start), error);
    at = reply.end;
  }
  parts.push(bytes.subarray(at));
  return { bytes: Buffer.concat(parts), held: [], acknowledges: acknowledged, deadlineMs: 0 };
}
