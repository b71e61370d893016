import type { Config } from '../../lib/config/index.ts';
import type { Topology } from '../core/topology.ts';
import type { StepResult, UpstreamStep } from '../core/upstream-step.ts';

/** What a worker thread is started with. */
export interface WorkerStart {
  readonly config: Config;
  readonly index: number;
  /** A port that all workers share. */
  readonly port: number;
  readonly runId: string;
  /** Its counters, which the main thread reads along. */
  readonly stats: SharedArrayBuffer;
  /** Whether there is a control plane to ask for a newer ring. */
  readonly canRefresh: boolean;
}

/** Main thread to worker. */
export type ToWorker =
  | { readonly type: 'topology'; readonly topology: Topology }
  /** The ring is the newest: refused requests may be tried again. */
  | { readonly type: 'confirm' }
  /** Answered with `stepped` of the same number. */
  | { readonly type: 'step'; readonly id: number; readonly step: UpstreamStep; readonly timeoutMs: number }
  | { readonly type: 'close'; readonly graceMs: number };

/** Worker to main thread. */
export type FromWorker =
  | { readonly type: 'listening'; readonly address: string }
  | { readonly type: 'failed'; readonly code: string; readonly message: string }
  | { readonly type: 'refresh' }
  | { readonly type: 'stepped'; readonly id: number; readonly result: StepResult }
  | { readonly type: 'closed' };
