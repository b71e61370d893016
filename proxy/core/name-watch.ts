import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import type { Router } from './router.ts';
import type { UpstreamNode } from './topology.ts';

/** The addresses that a name stands for now; rejects when nobody can tell. */
export type LookUp = (host: string) => Promise<readonly string[]>;

const lookUpAll: LookUp = async (host) => (await lookup(host, { all: true })).map(({ address }) => address);

/**
 * Looks the names of nodes up now and then. A shared connection to an address that its name no longer stands for is replaced by a new one in a
 * moment in which no reply is due on it, so that no command overtakes another. (Each new connection looks the name up by itself.)
 */
export class NameWatch {
  readonly #router: Router;
  readonly #lookUp: LookUp;
  readonly #timer: NodeJS.Timeout | undefined;

  /** `everyMs` 0: never. */
  constructor(router: Router, everyMs: number, lookUp: LookUp = lookUpAll) {
    this.#router = router;
    this.#lookUp = lookUp;
    if (everyMs > 0) this.#timer = setInterval(() => void this.look(), everyMs).unref();
  }

  /** Looks all names up now. */
  async look(): Promise<void> {
    const named = Array.from(this.#router.nodes).filter(({ address }) => isIP(address.host) === 0);
    await Promise.all(named.map((node) => this.#check(node)));
  }

  close(): void {
    clearInterval(this.#timer);
  }

  async #check(node: UpstreamNode): Promise<void> {
    let addresses: readonly string[];
    try {
      addresses = await this.#lookUp(node.address.host);
    } catch (error) {
      const { log } = this.#router.env;
      log.debug({ node: node.name, err: error }, 'the name of a node cannot be looked up');
      return;
    }
    for (const link of [...node.links]) {
      const { remoteAddress } = link;
      if (link.isPrivate || remoteAddress === null || addresses.includes(remoteAddress)) continue;
      this.#router.renew(link);
    }
  }
}
