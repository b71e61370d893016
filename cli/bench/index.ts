import { type Clock, RingsideError, seededRandom, systemClock, systemRandom } from '../../lib/base/index.ts';
import type { TlsMaterial } from '../../lib/net/index.ts';
import type { BenchOptions } from '../commands/bench.ts';
import type { Source } from './operation.ts';
import { prepareRecorders, type Recorder, type Result } from './recorder.ts';
import { type Comparison, progressLine, renderComparison, renderResult, throughputRatio } from './report.ts';
import { type RunOptions, runLoad } from './run.ts';
import { type LaneFactory, laneFactory, parseTarget, type Target } from './target.ts';
import { readTrace, replay } from './trace.ts';
import { fill, generate, type KeySpace, parseWorkload, type Workload } from './workload.ts';

/** What a run sends. `start` makes a source that begins anew. */
interface Plan {
  readonly start: () => Source;
  readonly countsKeys: boolean;
  readonly rounds: number;
}

/** Runs `ringside bench`: prints the result, and sets exit code 1 when not one command succeeded. */
export async function runBench(options: BenchOptions, tls: TlsMaterial | undefined): Promise<void> {
  const target = parseTarget(options.target, tls);
  const against = options.against === undefined ? null : parseTarget(options.against, tls);
  const workload = parseWorkload(options.workload);
  await prepareRecorders();
  const plan = await planOf(options, workload);
  const bench = new Bench(options, plan, systemClock);
  if (!against) {
    const result = await bench.run(target);
    process.stdout.write(options.json ? `${JSON.stringify(result)}\n` : renderResult(target.name, result));
    failUnlessAnswered([result]);
    return;
  }
  const comparison = await bench.compare(target, against);
  process.stdout.write(
    options.json ? `${JSON.stringify(jsonOf(comparison))}\n` : renderComparison(comparison),
  );
  failUnlessAnswered(comparison.rounds.flatMap((round) => [round.target, round.against]));
}

async function planOf(options: BenchOptions, workload: Workload): Promise<Plan> {
  if (options.trace !== undefined) {
    const trace = await readTrace(options.trace, options.format ?? 'oracle', options.ops);
    return { start: () => replay(trace, options.valueBytes), countsKeys: false, rounds: options.rounds ?? 1 };
  }
  const space = spaceOf(options);
  const start = () =>
    generate(workload, space, options.seed === undefined ? systemRandom : seededRandom(options.seed));
  return { start, countsKeys: workload.keysPerRead > 0, rounds: options.rounds ?? 5 };
}

function spaceOf({ keys, valueBytes, zipf }: BenchOptions): KeySpace {
  return { keys, valueBytes, zipf };
}

/** Measures targets by one plan. */
class Bench {
  readonly #options: BenchOptions;
  readonly #plan: Plan;
  readonly #clock: Clock;

  constructor(options: BenchOptions, plan: Plan, clock: Clock) {
    this.#options = options;
    this.#plan = plan;
    this.#clock = clock;
  }

  async run(target: Target): Promise<Result> {
    const makeLane = await this.#open(target);
    return this.#measure(target, makeLane);
  }

  /** Alternates, so that what else happens on the machine meets both alike. */
  async compare(target: Target, against: Target): Promise<Comparison> {
    const [ours, theirs] = [await this.#open(target), await this.#open(against)];
    const rounds: { target: Result; against: Result }[] = [];
    for (let i = 0; i < this.#plan.rounds; i++) {
      rounds.push({
        target: await this.#measure(target, ours),
        against: await this.#measure(against, theirs),
      });
    }
    return { target: target.name, against: against.name, rounds };
  }

  async #open(target: Target): Promise<LaneFactory> {
    const makeLane = await laneFactory(target);
    if (this.#options.preload && this.#options.trace === undefined) {
      say(`${target.name}: writing ${this.#options.keys} keys`);
      const everything = { seconds: Infinity, ops: Infinity, rate: 0 };
      await this.#load(target, makeLane, fill(spaceOf(this.#options)), everything);
    }
    return makeLane;
  }

  async #measure(target: Target, makeLane: LaneFactory): Promise<Result> {
    const { seconds, ops, rate, trace } = this.#options;
    say(`${target.name}: ${trace ?? this.#options.workload}`);
    // A trace ends by itself, and a number of commands is an end too.
    const unbounded = trace !== undefined || ops !== undefined;
    const limits = { seconds: seconds ?? (unbounded ? Infinity : 10), ops: ops ?? Infinity, rate: rate ?? 0 };
    let last = { requests: 0, ms: 0 };
    const onProgress = (recorder: Recorder, elapsedMs: number, isLast: boolean) => {
      if (isLast) return;
      say(
        progressLine(recorder, elapsedMs, {
          requests: recorder.requests - last.requests,
          ms: elapsedMs - last.ms,
        }),
      );
      last = { requests: recorder.requests, ms: elapsedMs };
    };
    return this.#load(target, makeLane, this.#plan.start(), { ...limits, onProgress });
  }

  async #load(
    target: Target,
    makeLane: LaneFactory,
    source: Source,
    more: Pick<RunOptions, 'seconds' | 'ops' | 'rate' | 'onProgress'>,
  ): Promise<Result> {
    const { connections, pipeline } = this.#options;
    const { countsKeys } = this.#plan;
    try {
      return await runLoad(makeLane, source, {
        ...more,
        connections,
        pipeline,
        countsKeys,
        clock: this.#clock,
      });
    } catch (error) {
      const { message, code } = error as NodeJS.ErrnoException;
      const why = code === 'ECONNREFUSED' ? 'nothing listens there' : message || String(code);
      throw new RingsideError('unavailable', `${target.name}: ${why}`, { cause: error });
    }
  }
}

function failUnlessAnswered(results: readonly Result[]): void {
  if (results.some(({ requests, errors }) => errors === requests)) process.exitCode = 1;
}

/** The figures of the middle round, as of a single run; a comparison adds the other target, the ratio and all rounds. */
function jsonOf(comparison: Comparison): object {
  const { median, min, max } = throughputRatio(comparison);
  const middle = comparison.rounds.toSorted((a, b) => a.target.throughput - b.target.throughput)[
    comparison.rounds.length >> 1
  ];
  return {
    ...middle.target,
    against: middle.against,
    ratio: { median, min, max },
    rounds: comparison.rounds,
  };
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}
