import type { Logger } from '../../lib/base/index.ts';
import { RespError } from '../../lib/codec/resp/index.ts';
import { parseAddress, type TlsMaterial } from '../../lib/net/index.ts';
import { Enquirer } from './enquirer.ts';
import { Repeat } from './repeat.ts';
import { type NodeView, parseRole } from './role.ts';

/** What watching the servers of a shard needs. */
export interface WatchEnvironment {
  readonly shard: string;
  readonly timeoutMs: number;
  readonly tls: TlsMaterial | undefined;
  readonly log: Logger;
  /** Milliseconds from one answer to the next question. */
  readonly everyMs: () => number;
  /** Something is known now that was not known before. */
  readonly changed: () => void;
}

/** Asks one server for its ROLE, for as long as it lives. */
export class RoleWatch {
  view: NodeView = { role: 'unknown' };
  readonly #address: string;
  readonly #env: WatchEnvironment;
  readonly #enquirer: Enquirer;
  readonly #repeat: Repeat;
  #refusal = '';

  constructor(address: string, login: readonly string[] | null, env: WatchEnvironment) {
    this.#address = address;
    this.#env = env;
    const { tls, timeoutMs } = env;
    this.#enquirer = new Enquirer({
      ...{ address: parseAddress(address), login, tls, timeoutMs },
      onLost: () => this.#repeat.hurry(),
    });
    this.#repeat = new Repeat(() => this.#ask(), env.everyMs);
  }

  hurry(): void {
    this.#repeat.hurry();
  }

  close(): void {
    this.#repeat.close();
    this.#enquirer.close();
  }

  async #ask(): Promise<void> {
    try {
      const [reply] = await this.#enquirer.ask(['ROLE']);
      this.view = parseRole(reply);
      this.#refusal = '';
    } catch (error) {
      this.view = { role: 'unreachable' };
      this.#report(error as Error);
    }
    this.#env.changed();
  }

  /** That it cannot be reached is told by the connections that carry data. */
  #report(error: Error): void {
    const { shard, log } = this.#env;
    if (!(error instanceof RespError) || error.message === this.#refusal) return;
    this.#refusal = error.message;
    log.warn({ node: this.#address, shard, reply: error.message }, 'a server does not tell its role');
  }
}
