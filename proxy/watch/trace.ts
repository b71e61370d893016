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

const LISTED_KEY_BYTES = 256;
const SECRET_SETTINGS: ReadonlySet<string> = new Set(['requirepass']);

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

  constructor(spec: CommandSpec, args: Args, client: TracedClient, inputBytes: number, isSampled: boolean) {
    this.command = spec.name;
    this.client = { address: client.address, name: client.name, userName: client.userName };
    this.args = abridged(
      args,
      secretsOf(spec, args, (setting) => SECRET_SETTINGS.has(setting)),
    );
    this.inputBytes = inputBytes;
    this.isSampled = isSampled;
    const first = keysOf(spec, args)?.[0];
    this.key =
      first === undefined ? null : Buffer.from(args.bytes(first.index).subarray(0, LISTED_KEY_BYTES));
    this.keyHash = first === undefined ? null : keyHashHex(args.bytes(first.index));
  }
}
