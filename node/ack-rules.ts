import type { Args } from '../lib/codec/resp/index.ts';
import { type CommandSpec, keysOf } from '../lib/commands/index.ts';
import { isFenced } from './commands/cache-options.ts';

/** When a write is acknowledged: once the leader has it, or once a listed follower has it too. */
export type Ack = 'leader' | 'replica';

/** What a namespace says about acknowledgement. */
export interface AckRule {
  /** Keys that begin with it, as UTF-8. */
  readonly prefix: string;
  readonly ack: Ack;
  /** Milliseconds to wait for a follower. */
  readonly ackTimeoutMs: number;
}

interface CompiledRule {
  readonly prefix: Buffer;
  readonly timeoutMs: number;
}

/**
 * Finds out how a write is to be acknowledged. The longest prefix that a key begins with decides; what no namespace covers goes
 * by `fallback`.
 */
export class AckRules {
  readonly #rules: readonly CompiledRule[];
  readonly #longest: number;
  /** Whether any write waits for a follower, whatever it carries. */
  readonly #waits: boolean;
  /** What a fenced write waits at least. */
  readonly #fencedTimeoutMs: number;

  /** `standalone`: there is nobody to wait for but what a rule names, so fenced writes are on disk only. */
  constructor(rules: readonly AckRule[], fallback: { ack: Ack; ackTimeoutMs: number; standalone?: boolean }) {
    this.#fencedTimeoutMs = fallback.standalone === false ? fallback.ackTimeoutMs : 0;
    this.#rules = [...rules, { prefix: '', ...fallback }]
      .map(({ prefix, ack, ackTimeoutMs }) => ({
        prefix: Buffer.from(prefix),
        timeoutMs: ack === 'replica' ? ackTimeoutMs : 0,
      }))
      .sort((a, b) => b.prefix.length - a.prefix.length);
    this.#longest = this.#rules[0].prefix.length;
    this.#waits = this.#rules.some(({ timeoutMs }) => timeoutMs > 0);
  }

  /**
   * Milliseconds that this write waits for a follower; 0 for one that does not wait. Several keys: the longest of their waits. A write
   * without keys (FLUSHALL), or whose keys cannot be told, waits as long as any namespace would. A fenced write of a fleet's node waits as
   * under `ack: replica` always: its floor must not be lost with one node.
   */
  timeoutOf(spec: CommandSpec, args: Args): number {
    const fencedMs = this.#fencedTimeoutMs > 0 && isFenced(spec, args) ? this.#fencedTimeoutMs : 0;
    return this.#waits ? Math.max(fencedMs, this.#timeoutByKeys(spec, args)) : fencedMs;
  }

  #timeoutByKeys(spec: CommandSpec, args: Args): number {
    const keys = spec.keySpecs.length === 0 ? null : keysOf(spec, args);
    if (keys === null) return Math.max(...this.#rules.map(({ timeoutMs }) => timeoutMs));
    let timeoutMs = 0;
    for (const { index } of keys) timeoutMs = Math.max(timeoutMs, this.#timeoutOfKey(args, index));
    return timeoutMs;
  }

  #timeoutOfKey(args: Args, i: number): number {
    if (this.#longest === 0) return this.#rules[0].timeoutMs;
    const rule = this.#rules.find(({ prefix }) =>
      startsWith(args.buffer, args.start(i), args.end(i), prefix),
    );
    return rule!.timeoutMs;
  }
}

function startsWith(buffer: Buffer, start: number, end: number, prefix: Buffer): boolean {
  if (end - start < prefix.length) return false;
  for (let i = 0; i < prefix.length; i++) if (buffer[start + i] !== prefix[i]) return false;
  return true;
}
