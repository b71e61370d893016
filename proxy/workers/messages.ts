import type { Config } from '../../lib/config/index.ts';
import type { Topology } from '../core/topology.ts';
import type { StepResult, UpstreamStep } from '../core/upstream-step.ts';
import type { InheritedState } from '../thread.ts';
import type { ThreadPorts } from '../thread-listeners.ts';
import type { QuestionName } from './questions.ts';

/** What a worker thread is started with. */
export interface WorkerStart {
  readonly config: Config;
  readonly index: number;
  /** All workers share them. */
  readonly ports: ThreadPorts;
  readonly runId: string;
  /** Its counters, which the main thread reads along. */
  readonly stats: SharedArrayBuffer;
  /** Whether there is a control plane to ask for a newer ring. */
  readonly canRefresh: boolean;
  /** Users and settings as they are now. */
  readonly inherited: InheritedState;
  /** Memory of `SharedIds`. */
  readonly ids: SharedArrayBuffer;
  /** What the threads of a warm-up share; undefined: there is none. */
  readonly warmMemory: SharedArrayBuffer | undefined;
}

/** Main thread to worker. */
export type ToWorker =
  | { readonly type: 'topology'; readonly topology: Topology }
  /** The ring is the newest: refused requests may be tried again. */
  | { readonly type: 'confirm' }
  /** Answered with `stepped` of the same number. */
  | { readonly type: 'step'; readonly id: number; readonly step: UpstreamStep; readonly timeoutMs: number }
  | { readonly type: 'close'; readonly graceMs: number }
  /** Answered with `answer` of the same number. */
  | { readonly type: 'question'; readonly id: number; readonly name: QuestionName; readonly asked: unknown }
  /** What all threads answer to `ask` of the same number. */
  | { readonly type: 'answers'; readonly id: number; readonly answers: readonly unknown[] };

/** Worker to main thread. */
export type FromWorker =
  | { readonly type: 'listening'; readonly addresses: Readonly<Record<string, string>> }
  | { readonly type: 'failed'; readonly code: string; readonly message: string }
  | { readonly type: 'refresh' }
  | { readonly type: 'stepped'; readonly id: number; readonly result: StepResult }
  | { readonly type: 'closed' }
  /** A question to all threads. */
  | { readonly type: 'ask'; readonly id: number; readonly name: QuestionName; readonly asked: unknown }
  | { readonly type: 'answer'; readonly id: number; readonly answer: unknown };
