import type { Args } from '../../lib/codec/resp/index.ts';
import { type CommandSpec, keysOf, secretsOf } from '../../lib/commands/index.ts';
import { abridged } from '../../lib/metrics/index.ts';
import { keyHashHex } from '../../lib/ring/index.ts';

/** Whose command it is. */
export interface TracedClient {
  readonly address: string;
  readonly name: string;
  readonly userName: string;
}

/** What a command asks for, as far as it is kept. */
export interface Subject {
  readonly command: string;
  /** Copies, shortened and without secrets. */
  readonly args: readonly Buffer[];
  /** Its first key; null without one. */
  readonly key: Buffer | null;
}

const LISTED_KEY_BYTES = 256;
const SECRET_SETTINGS: ReadonlySet<string> = new Set(['requirepass']);

/** Of a command of Redis. */
export function subjectOf(spec: CommandSpec, args: Args): Subject {
  const isSecret = secretsOf(spec, args, (setting) => SECRET_SETTINGS.has(setting));
  const first = keysOf(spec, args)?.[0];
  return {
    command: spec.name,
    args: abridged(args, isSecret),
    key: first === undefined ? null : args.bytes(first.index),
  };
}

/** What is kept of one command that somebody wants to hear of: the slow log, or the access log. */
export class Trace {
  readonly command: string;
  readonly client: TracedClient;
  readonly args: readonly Buffer[];
  readonly inputBytes: number;
  /** Its first key, shortened; null without one. */
  readonly key: Buffer | null;
  readonly keyHash: string | null;
  /** It was picked for the access log. */
  readonly isSampled: boolean;
  shard: string | null = null;
  node: string | null = null;

  constructor({ command, args, key }: Subject, client: TracedClient, inputBytes: number, isSampled: boolean) {
    this.command = command;
    this.client = { address: client.address, name: client.name, userName: client.userName };
    this.args = args;
    this.inputBytes = inputBytes;
    this.isSampled = isSampled;
    this.key = key === null ? null : Buffer.from(key.subarray(0, LISTED_KEY_BYTES));
    this.keyHash = key === null ? null : keyHashHex(key);
  }
}
