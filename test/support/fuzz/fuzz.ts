import v8 from 'node:v8';
import vm from 'node:vm';
import type { Test } from 'tap';
import { type Random, seededRandom } from '../../../lib/base/index.ts';
import type { Digest } from './digest.ts';
import { type Grammar, Mutator } from './mutator.ts';

/** One codec at work on one input. */
export interface Attempt {
  /** What it has made of the input so far. */
  readonly digest: Digest;
  /** Frames it has found so far. */
  readonly count: number;
  /** Gives it the next bytes and takes out what they complete. Throws what the codec throws, and Error when the codec breaks a promise. */
  take(chunk: Buffer): void;
  /** Nothing more comes. */
  end(): void;
  /** The bytes of all chunks are about to be overwritten. */
  own(): void;
  /** Called once it has refused the input: it must hold nothing then. */
  refused(): void;
}

/** A codec that is to be fed with nonsense. */
export interface FuzzedCodec {
  readonly grammar: Grammar;
  /** `variant` is a random number that chooses limits and ways of use; the same for all runs on one input. */
  begin(variant: number, inputBytes: number): Attempt;
  /** Whether the error is the codec's way of refusing input. */
  isRefusal(error: unknown): boolean;
  /** Whether two texts of refusals may stand for each other, where they depend on how the input was cut. */
  isSameRefusal?(a: string, b: string): boolean;
}

interface Outcome {
  readonly count: number;
  readonly digest: number;
  readonly refusal: string | null;
}

const isLong = process.env.RINGSIDE_LONG === '1';
const QUICK_INPUTS = 100_000;
const LONG_INPUTS = 10_000_000;
const seed = Number(process.env.SEED ?? 20261121);
const PROGRESS_INPUTS = 1_000_000;
/** Refusals are errors; most of what one costs is its stack. */
const STACK_FRAMES = 4;
/** In this part of all inputs memory may still settle. */
const WARM_UP = 0.2;
/** What is reachable may grow by so much, and the process by more: V8 gives the young generation more room as it sees fit. */
const MAX_GROWTH_BYTES = 8 * 1024 * 1024;
const MAX_RESIDENT_GROWTH_BYTES = 128 * 1024 * 1024;
/** Chunks are at most 2^this long. */
const MAX_SIZE_BITS = 11;

interface Memory {
  readonly reachable: number;
  readonly resident: number;
}

/** Bytes, behind a collection of all that nobody holds. */
function memory(): Memory {
  v8.setFlagsFromString('--expose-gc');
  const collect = vm.runInNewContext('gc') as () => void;
  v8.setFlagsFromString('--no-expose-gc');
  collect();
  const { heapUsed, external, rss } = process.memoryUsage();
  return { reachable: heapUsed + external, resident: rss };
}

/** Where an input is cut. */
class Cuts {
  readonly #random: Random;
  /** Of the pieces, in order. */
  sizes: number[] = [];

  constructor(random: Random) {
    this.#random = random;
  }

  /** Chooses anew: every byte alone, the same size throughout, or any sizes. */
  choose(length: number): void {
    const random = this.#random;
    const kind = random.int(4);
    const bits = random.int(MAX_SIZE_BITS);
    const even = kind === 0 ? 1 : 1 + random.int(1 << bits);
    this.sizes = [];
    for (let left = length; left > 0; left -= this.sizes.at(-1)!) {
      this.sizes.push(Math.min(left, kind > 1 ? 1 + random.int(1 << bits) : even));
    }
  }
}

const shared = Buffer.alloc(64 * 1024);

/** Feeds the chunks; with `isShared` through one piece of memory that is overwritten behind each. */
function outcomeOf(
  codec: FuzzedCodec,
  variant: number,
  input: Buffer,
  sizes: readonly number[],
  isShared: boolean,
): Outcome {
  const attempt = codec.begin(variant, input.length);
  let refusal: string | null = null;
  let at = 0;
  try {
    for (const size of sizes) {
      if (isShared) input.copy(shared, 0, at, at + size);
      attempt.take(isShared ? shared.subarray(0, size) : input.subarray(at, at + size));
      if (isShared) {
        attempt.own();
        shared.fill(0x21, 0, size);
      }
      at += size;
    }
    attempt.end();
  } catch (error) {
    if (!codec.isRefusal(error)) throw error;
    refusal = (error as Error).message;
    attempt.refused();
  }
  return { count: attempt.count, digest: attempt.digest.value, refusal };
}

function differences(codec: FuzzedCodec, a: Outcome, b: Outcome): string | null {
  if (a.count !== b.count) return `${a.count} frames in one piece, ${b.count} in many`;
  if (a.digest !== b.digest) return 'other frames in many pieces than in one';
  if (a.refusal === b.refusal) return null;
  const isSame = a.refusal !== null && b.refusal !== null && codec.isSameRefusal?.(a.refusal, b.refusal);
  return isSame ? null : `refused with ${a.refusal} in one piece, with ${b.refusal} in many`;
}

/** Null, or what is wrong with what the codec makes of the input. */
function judge(codec: FuzzedCodec, input: Buffer, cuts: Cuts, random: Random): string | null {
  const variant = random.u32();
  const isShared = random.int(2) === 0;
  // Frames stay true as long as somebody holds them: each input needs memory of its own.
  const bytes = Buffer.from(input);
  cuts.choose(bytes.length);
  try {
    const whole = outcomeOf(codec, variant, bytes, [bytes.length], false);
    const found = differences(codec, whole, outcomeOf(codec, variant, bytes, cuts.sizes, isShared));
    return found && `${found} (variant ${variant}, ${isShared ? 'shared' : 'own'} memory, cut ${cuts.sizes})`;
  } catch (error) {
    return `${(error as Error).stack} (variant ${variant}, cut ${cuts.sizes})`;
  }
}

/**
 * Feeds a codec with mutated frames, whole and cut up, and fails at the first input that it treats in two ways, for which it breaks a promise, or
 * that makes it throw anything but its refusal; and when memory grows. `SEED` chooses other inputs, `FUZZ_INPUTS` how many.
 */
export function fuzz(t: Test, codec: FuzzedCodec): void {
  const inputs = Number(process.env.FUZZ_INPUTS ?? (isLong ? LONG_INPUTS : QUICK_INPUTS));
  const random = seededRandom(seed);
  const mutator = new Mutator(codec.grammar, random);
  const cuts = new Cuts(random);
  const settled = Math.floor(inputs * WARM_UP);
  Error.stackTraceLimit = STACK_FRAMES;
  const startedMs = performance.now();
  let bytes = 0;
  let before: Memory | null = null;
  for (let i = 0; i < inputs; i++) {
    const input = mutator.next();
    bytes += input.length;
    const problem = judge(codec, input, cuts, random);
    if (problem !== null) {
      t.fail(`input ${i} of seed ${seed}: ${problem}`, { input: input.latin1Slice() });
      return;
    }
    if (isLong && i % PROGRESS_INPUTS === 0) t.comment(`${i} inputs`);
    if (i === settled) before = memory();
  }
  const seconds = (performance.now() - startedMs) / 1000;
  const after = memory();
  const grown = after.reachable - before!.reachable;
  const grownResident = after.resident - before!.resident;
  t.ok(grown < MAX_GROWTH_BYTES, `what is reachable grew by ${mebibytes(grown)}`);
  t.ok(grownResident < MAX_RESIDENT_GROWTH_BYTES, `the process grew by ${mebibytes(grownResident)}`);
  t.pass(
    `${inputs} inputs of ${(bytes / inputs).toFixed(0)} bytes, seed ${seed}: ${(inputs / seconds).toFixed(0)}/s`,
  );
}

function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}
