const NO_BYTES = Buffer.alloc(0);
const TWO_32 = 2 ** 32;

/** What is known of a key. */
export const FoundKind = {
  /** It has a value. */
  VALUE: 1,
  /** It does not exist. */
  MISS: 2,
  /** Its value cannot be kept: too long, or no string. */
  PASS: 3,
} as const;
export type FoundKind = (typeof FoundKind)[keyof typeof FoundKind];

/** What a node, or the near cache, knows of a key. Reused: valid until the next use of the same one. */
export class Found {
  kind: FoundKind = FoundKind.MISS;
  /** The value as a bulk string of RESP, `bytes[start, end)` and then `rest`; nothing of a miss. */
  bytes: Buffer = NO_BYTES;
  /** Of the same memory, where there is one. */
  view: DataView | null = null;
  start = 0;
  end = 0;
  rest: readonly Buffer[] | null = null;
  restBytes = 0;
  /** The version, 64 bits; 0 where the engine has none. */
  versionHigh = 0;
  versionLow = 0;
  /** 32 bits of the client. */
  clientFlags = 0;
  /** Milliseconds that were left when a node was asked; -1: for ever. */
  ttlMs = -1;
  /** Milliseconds until the value is stale, likewise; 0: it was; -1: never. */
  softTtlMs = -1;
  /** Milliseconds since a node was asked. */
  ageMs = 0;

  /** Length of the value. */
  get valueBytes(): number {
    const whole = this.end - this.start + this.restBytes;
    // A bulk string of n bytes: `$n`, line end, n bytes, line end.
    for (let digits = 1; ; digits++) {
      const bytes = whole - digits - 5;
      if (String(Math.max(0, bytes)).length <= digits) return bytes;
    }
  }

  get version(): bigint {
    return (BigInt(this.versionHigh >>> 0) << 32n) | BigInt(this.versionLow >>> 0);
  }

  set version(version: bigint) {
    this.versionHigh = Number(version >> 32n) | 0;
    this.versionLow = Number(version & 0xffffffffn) | 0;
  }

  /** Milliseconds that are left by now; -1: for ever. */
  get ttlLeftMs(): number {
    return this.ttlMs < 0 ? -1 : Math.max(0, this.ttlMs - this.ageMs);
  }

  /** Milliseconds until the value is stale by now; 0: it is; -1: never. */
  get softTtlLeftMs(): number {
    return this.softTtlMs < 0 ? -1 : Math.max(0, this.softTtlMs - this.ageMs);
  }

  get isStale(): boolean {
    return this.softTtlLeftMs === 0;
  }
}

/** A number of up to 53 bits, or -1, from two words. */
export function fromWords(high: number, low: number): number {
  return high === -1 ? -1 : high * TWO_32 + (low >>> 0);
}

export function highWord(value: number): number {
  return value < 0 ? -1 : Math.floor(value / TWO_32);
}
