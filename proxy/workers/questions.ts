import type { AclLogEntry } from '../../lib/acl/index.ts';
import type { ClientFacts, ClientFilter, ClientType } from '../../lib/commands/index.ts';
import type { LatencyEvent, MetricSnapshot } from '../../lib/metrics/index.ts';
import type { ChangeResult, FileErrand, UserChange } from '../access/index.ts';
import type { BalanceCounts } from '../balance/index.ts';
import type { BalanceState } from '../core/balance-port.ts';
import type { NearState } from '../core/near-port.ts';
import type { NodeFigure } from '../core/node-figures.ts';
import type { NamespaceFigures } from '../near/index.ts';
import type { ShadowCounts } from '../shadow/index.ts';
import type { WarmCounts } from '../warm/index.ts';
import type { CommandFigure } from '../watch/command-figures.ts';

/** A client of any thread, as CLIENT LIST and KILL need it. */
export interface ListedClient extends ClientFacts {
  readonly type: ClientType;
  /** What CLIENT SETINFO said. */
  readonly library: { readonly name: string; readonly version: string };
}

/** An entry of the slow log; arguments have one character a byte. */
export interface SlowEntry {
  readonly id: number;
  readonly atS: number;
  readonly durationUs: number;
  readonly args: readonly string[];
  readonly address: string;
  readonly name: string;
}

/** How long commands are to wait. */
export interface PauseOrder {
  /** Milliseconds; 0 ends the pause. */
  readonly ms: number;
  readonly mode: 'write' | 'all';
}

/** What is known of the memcached clients of a thread. */
export interface MemcachedFigures {
  /** By memcached's names. */
  readonly counters: Readonly<Record<string, number>>;
  readonly connections: number;
  readonly accepted: number;
  readonly refused: number;
}

/** A memcached client. */
export interface MemcachedClientFacts {
  readonly address: string;
  readonly isIdle: boolean;
  readonly silentSeconds: number;
}

/** What a thread may ask all threads of the process, and what each answers. Plain data: it is posted. */
export interface Questions {
  /** Every client. */
  clients: { asked: null; answer: readonly ListedClient[] };
  /** Closes clients: those that `filter` picks, or the one of this address; answered with how many. `me`: the id of who asks. */
  kill: {
    asked: { readonly filter: ClientFilter | null; readonly address: string; readonly me: number };
    answer: number;
  };
  users: { asked: UserChange; answer: ChangeResult };
  /** The log of refusals; `reset` forgets it. */
  aclLog: { asked: { readonly reset: boolean }; answer: readonly AclLogEntry[] };
  /** The main thread alone; answered with Redis's error text, or null. */
  aclFile: { asked: FileErrand; answer: string | null };
  slowLog: { asked: { readonly reset: boolean }; answer: readonly SlowEntry[] };
  /** The latency monitor; `reset` names events to forget (empty: all). */
  latency: { asked: { readonly reset: readonly string[] | null }; answer: readonly LatencyEvent[] };
  /** Settings by Redis's names, checked already. */
  settings: { asked: readonly (readonly [name: string, text: string])[]; answer: null };
  /** Counters begin again at 0. */
  resetStatistics: { asked: null; answer: null };
  pause: { asked: PauseOrder; answer: null };
  /** Ends the wait of the client of this id; answered with whether it was waiting. */
  unblock: { asked: { readonly id: number; readonly isError: boolean }; answer: boolean };
  /** Whether the thread has the client of this id. */
  hasClient: { asked: { readonly id: number }; answer: boolean };
  /** An invalidation for the client of this id, its keys as RESP3 has them, one character a byte; answered with whether the thread has it. */
  redirected: { asked: { readonly id: number; readonly keys: string }; answer: boolean };
  /** A thread has clients that said MONITOR, or none any more. */
  monitoring: { asked: { readonly thread: string; readonly isOn: boolean }; answer: null };
  /** What they are shown of the commands of this thread; one character a byte. */
  monitored: { asked: { readonly thread: string; readonly lines: readonly string[] }; answer: null };
  /** Of threads that have a memcached listener; `reset`: its counters begin again at 0. */
  memcachedFigures: { asked: { readonly reset: boolean }; answer: MemcachedFigures };
  memcachedClients: { asked: null; answer: readonly MemcachedClientFacts[] };
  /** The main thread alone: flushes everything after so many milliseconds, and not when it was to before; null: not at all. */
  delayFlush: { asked: { readonly delayMs: number | null }; answer: null };
  commands: { asked: null; answer: readonly CommandFigure[] };
  nodes: { asked: null; answer: readonly NodeFigure[] };
  /** The thread forgets this, and says nothing. One character a byte; `isAll`: everything. */
  purge: { asked: { readonly keys: readonly string[]; readonly isAll: boolean }; answer: null };
  /** What the thread keeps of a key, one character a byte. */
  nearState: { asked: { readonly key: string }; answer: NearState };
  /** Where the thread would read a key, one character a byte. */
  balanceState: { asked: { readonly key: string }; answer: BalanceState };
  balance: { asked: null; answer: BalanceCounts };
  near: { asked: null; answer: readonly NamespaceFigures[] };
  warmUp: { asked: null; answer: WarmCounts };
  shadow: { asked: null; answer: ShadowCounts };
  metrics: { asked: null; answer: readonly MetricSnapshot[] };
}

export type QuestionName = keyof Questions;

/** Answers one kind of question in one thread. */
export type Answerer<Q extends QuestionName> = (
  asked: Questions[Q]['asked'],
) => Questions[Q]['answer'] | Promise<Questions[Q]['answer']>;

/** Questions that only the main thread answers. */
const OF_MAIN: ReadonlySet<QuestionName> = new Set(['aclFile', 'delayFlush']);

/** Whether the main thread alone answers. */
export function isForMain(name: QuestionName): boolean {
  return OF_MAIN.has(name);
}

/** Everything one thread can answer. */
export class Desk {
  readonly #answerers = new Map<QuestionName, Answerer<never>>();

  /** The thread answers this from now on. A question without an answerer has no answer of this thread. */
  on<Q extends QuestionName>(name: Q, answerer: Answerer<Q>): void {
    this.#answerers.set(name, answerer as unknown as Answerer<never>);
  }

  /** Undefined when the thread has nothing to say. */
  answer(name: QuestionName, asked: unknown): unknown {
    return this.#answerers.get(name)?.(asked as never);
  }
}

/** All threads of the process, from the point of view of one. */
export interface Group {
  /** This thread is the only one: what it knows at once is answered at once. */
  readonly isImmediate: boolean;
  /**
   * Asks all threads, the asking one included; `then` gets their answers, at once when this thread is the only one and knows it at once. Questions of
   * one thread, and changes of all, are answered in the same order everywhere. A thread that ends meanwhile has no answer.
   */
  ask<Q extends QuestionName>(
    name: Q,
    asked: Questions[Q]['asked'],
    then: (answers: readonly Questions[Q]['answer'][]) => void,
  ): void;
}

/** As `Group.ask`, as a promise. */
export function askAll<Q extends QuestionName>(
  group: Group,
  name: Q,
  asked: Questions[Q]['asked'],
): Promise<readonly Questions[Q]['answer'][]> {
  return new Promise((resolve) => {
    group.ask(name, asked, resolve);
  });
}
