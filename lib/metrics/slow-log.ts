/** The arguments of a command, of which an entry keeps copies; the RESP parser's `Args` is one. */
export interface LoggedArgs {
  readonly count: number;
  length(i: number): number;
  bytes(i: number): Buffer;
  copy(i: number): Buffer;
}

/** Arguments and bytes of one argument that an entry keeps, as Redis does. */
const MAX_ARGUMENTS = 32;
const MAX_ARGUMENT_BYTES = 128;

/** One command that took long. */
export interface SlowLogEntry {
  readonly id: number;
  /** Unix seconds at which it had ended. */
  readonly atS: number;
  readonly durationUs: number;
  /** Shortened where they are many or long. */
  readonly args: readonly Buffer[];
  readonly address: string;
  readonly name: string;
}

/** The last commands that took long. */
export class SlowLog {
  /** Oldest first: to add one at the begin moves all others, and under overload each command is one. */
  readonly #entries: SlowLogEntry[] = [];
  readonly #nextId: () => number;

  /** `nextId` numbers the entries; from 0 on unless given. */
  constructor(nextId: () => number = counter()) {
    this.#nextId = nextId;
  }

  get length(): number {
    return this.#entries.length;
  }

  /** Adds an entry, and forgets the oldest beyond `maxLength`. */
  add(entry: Omit<SlowLogEntry, 'id'>, maxLength: number): void {
    this.#entries.push({ id: this.#nextId(), ...entry });
    while (this.#entries.length > maxLength) this.#entries.shift();
  }

  /** The newest `count`, newest first. */
  newest(count: number): readonly SlowLogEntry[] {
    return count <= 0 ? [] : this.#entries.slice(-count).reverse();
  }

  reset(): void {
    this.#entries.length = 0;
  }
}

function counter(): () => number {
  let next = 0;
  return () => next++;
}

/** A copy of the arguments that an entry may keep. `isSecret` says of which nothing may be kept. */
export function abridged(args: LoggedArgs, isSecret: (i: number) => boolean): Buffer[] {
  const kept = Math.min(args.count, MAX_ARGUMENTS);
  const parts: Buffer[] = [];
  for (let i = 0; i < kept; i++) {
    if (kept < args.count && i === kept - 1)
      parts.push(Buffer.from(`... (${args.count - kept + 1} more arguments)`));
    else parts.push(isSecret(i) ? REDACTED : abridgedArgument(args, i));
  }
  return parts;
}

/** What stands in the place of a secret. */
export const REDACTED = Buffer.from('(redacted)');

function abridgedArgument(args: LoggedArgs, i: number): Buffer {
  const more = args.length(i) - MAX_ARGUMENT_BYTES;
  if (more <= 0) return args.copy(i);
  const head = args.bytes(i).subarray(0, MAX_ARGUMENT_BYTES);
  return Buffer.concat([head, Buffer.from(`... (${more} more bytes)`)]);
}
