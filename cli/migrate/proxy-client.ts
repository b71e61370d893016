import type { TlsMaterial } from '../../lib/net/index.ts';
import { ControlPlaneClient } from '../ctl/client.ts';

/** What a proxy says of its upstream. */
export interface ProxyUpstream {
  /** `host:port`; null when it has several, or a control plane. */
  readonly upstream: string | null;
  /** Name of the hold in force. */
  readonly hold: string | null;
}

/** Requests that a hold stopped, or released. */
export interface Held {
  readonly held: number;
}

/** The admin listener of one proxy, for a move that goes by `hold`. */
export class ProxyClient {
  readonly url: string;
  readonly #hold: string;
  readonly #client: ControlPlaneClient;

  /** `hold`: a name that nobody else uses. */
  constructor(url: string, hold: string, tls: TlsMaterial | undefined) {
    this.url = url;
    this.#hold = hold;
    this.#client = new ControlPlaneClient(url, tls, { name: 'a proxy', flag: '--proxy' });
  }

  upstream(): Promise<ProxyUpstream> {
    return this.#client.get('/upstream');
  }

  hold(ms: number): Promise<Held> {
    return this.#post('hold', { ms });
  }

  turn(from: string, to: string): Promise<Held> {
    return this.#post('turn', { from, to });
  }

  commit(): Promise<Held> {
    return this.#post('commit', {});
  }

  release(): Promise<Held> {
    return this.#post('release', {});
  }

  close(): Promise<void> {
    return this.#client.close();
  }

  #post(step: string, body: object): Promise<Held> {
    return this.#client.post(`/upstream/${step}`, { hold: this.#hold, ...body });
  }
}
