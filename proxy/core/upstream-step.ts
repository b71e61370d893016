import type { Router } from './router.ts';

/** What one thread does of a move to another upstream. */
export type UpstreamStep =
  /** Holds new writes. Done once those on their way are answered. */
  | 'hold'
  /** Done once the leader of every shard is connected. */
  | 'connect'
  /** Sends what was held. */
  | 'release';

/** How a step ended. */
export interface StepResult {
  /** False when it was not done in time. */
  readonly done: boolean;
  /** Requests held, or released. */
  readonly held: number;
}

/** Takes one step; it ends after `timeoutMs` at the latest. */
export async function takeStep(router: Router, step: UpstreamStep, timeoutMs: number): Promise<StepResult> {
  if (step === 'release') return { done: true, held: router.release() };
  if (step === 'connect') {
    await router.settled(timeoutMs);
    return { done: router.routes.every(({ leader }) => leader?.isConnected), held: router.heldCount };
  }
  router.hold();
  return { done: await router.writesAnswered(timeoutMs), held: router.heldCount };
}
