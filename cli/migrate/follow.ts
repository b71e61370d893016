import { setTimeout as delay } from 'node:timers/promises';
import { type Clock, isRingsideError, RingsideError } from '../../lib/base/index.ts';
import type { Parties } from './plan.ts';
import { type Progress, ProgressMeter } from './progress.ts';
import type { Server } from './server.ts';
import type { ServerFacts } from './server-facts.ts';

const EVERY_MS = 250;
/** How long a server may be away. */
const AWAY_MS = 10_000;
/** How long nothing may move. A redis-server takes its time before a full sync, and then says that it saves. */
const STALL_MS = 60_000;
/** So many snapshots that were begun and not finished are enough. */
const MAX_ATTEMPTS = 3;

/** What following goes by. */
export interface FollowOptions {
  readonly clock: Clock;
  /** The target is level when it is no more than so many bytes behind, … */
  readonly maxLagBytes: number;
  /** … or would need no more than so many seconds without writes. */
  readonly maxDrainSeconds: number;
  readonly onProgress: (nowMs: number, progress: Progress) => void;
}

/** Makes `follower` follow `leader`, with the password of that one. */
export async function startFollowing(follower: Server, leader: Server): Promise<void> {
  await prepareLogin(follower, leader);
  await replicaOf(follower, leader);
}

/** Gives `follower` what it needs to log in at `leader`. */
export async function prepareLogin(follower: Server, leader: Server): Promise<void> {
  const { user, password } = leader.url;
  if (password === '') return;
  await follower.ask('CONFIG', 'SET', 'masteruser', user);
  await follower.ask('CONFIG', 'SET', 'masterauth', password);
}

/** REPLICAOF. */
export async function replicaOf(follower: Server, leader: Server): Promise<void> {
  await follower.ask('REPLICAOF', leader.url.host, leader.url.port);
}

/** Resolves once the target is level. Rejects when a server stays away, or nothing moves any more; the target goes on following. */
export async function followUntilLevel({ source, target }: Parties, options: FollowOptions): Promise<void> {
  const { clock, onProgress } = options;
  const meter = new ProgressMeter();
  const watch = new StallWatch(clock.monotonicMs());
  for (;;) {
    const facts = await factsOfBoth(source, target, clock);
    const nowMs = clock.monotonicMs();
    const [from, to] = facts;
    if (to.leader !== source.url.address)
      throw new RingsideError(
        'conflict',
        `${target.name} does not follow ${source.name} any more: somebody else gave it a REPLICAOF, or it was started anew; give the same command again`,
      );
    const progress = meter.take(nowMs, from, to);
    onProgress(nowMs, progress);
    if (isLevel(progress, options) && to.replId === from.replId) return;
    const why = watch.problem(nowMs, from, to);
    if (why !== null)
      throw new RingsideError(
        'unavailable',
        `${target.name} cannot follow ${source.name}: ${why}. Nothing has changed for the app; the target goes on trying until it gets REPLICAOF NO ONE`,
      );
    await delay(EVERY_MS);
  }
}

function isLevel({ lagBytes, drainSeconds }: Progress, options: FollowOptions): boolean {
  // A redis-server lets its stream wait for up to a second behind a snapshot: before it has been seen to flow, nothing is held for it.
  if (lagBytes === null || drainSeconds === null) return false;
  return lagBytes <= options.maxLagBytes || drainSeconds <= options.maxDrainSeconds;
}

/** Both; a server that is away for a moment is waited for. */
async function factsOfBoth(
  source: Server,
  target: Server,
  clock: Clock,
): Promise<[ServerFacts, ServerFacts]> {
  const endMs = clock.monotonicMs() + AWAY_MS;
  for (;;) {
    try {
      return await Promise.all([source.facts(), target.facts()]);
    } catch (error) {
      if (!isRingsideError(error) || error.code !== 'unavailable') throw error;
      if (clock.monotonicMs() >= endMs)
        throw new RingsideError(
          'unavailable',
          `${error.message}. Nothing has changed for the app: start it, and give the same command again`,
        );
      await delay(EVERY_MS);
    }
  }
}

/** Sees that nothing moves, or that full syncs fail one after the other. */
class StallWatch {
  #movedMs: number;
  #seen = '';
  #readBytes = 0;
  #attempts = 0;

  constructor(nowMs: number) {
    this.#movedMs = nowMs;
  }

  problem(nowMs: number, source: ServerFacts, target: ServerFacts): string | null {
    const { syncBytes, keys, offset, isLinked, problem } = target;
    const read = syncBytes?.read ?? 0;
    if (read < this.#readBytes && !isLinked && problem !== '') this.#attempts++;
    this.#readBytes = read;
    const seen = `${read} ${keys} ${offset} ${isLinked}`;
    if (seen !== this.#seen || source.isSaving) this.#movedMs = nowMs;
    this.#seen = seen;
    if (this.#attempts >= MAX_ATTEMPTS) return problem;
    if (nowMs - this.#movedMs < STALL_MS) return null;
    return problem || `nothing has moved for ${STALL_MS / 1000} s, its log may say why`;
  }
}
