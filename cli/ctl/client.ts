import type { Socket } from 'node:net';
import { Agent, type buildConnector } from 'undici';
import { RingsideError } from '../../lib/base/index.ts';
import { connectSocket, type TlsMaterial } from '../../lib/net/index.ts';

const CONNECT_TIMEOUT_MS = 3000;
const ANSWER_TIMEOUT_MS = 15_000;

/** A node as `ctl status --json` shows it. Numbers of 64 bits are decimal strings. */
export interface NodeStatus {
  readonly id: string;
  /** Null when it has not been seen since this control plane started. */
  readonly pid: number | null;
  readonly address: string;
  readonly admin: string;
  readonly state: 'starting' | 'serving' | 'syncing' | 'suspect' | 'dead';
  /** These three are null while nobody knows: the node is gone. */
  readonly offset: string | null;
  readonly lagBytes: string | null;
  readonly lagMs: number | null;
}

/** What `ctl status --json` prints. */
export interface FleetStatus {
  readonly ring: { readonly incarnation: string; readonly epoch: string; readonly sha256: string } | null;
  readonly shards: readonly {
    readonly name: string;
    readonly weight: number;
    readonly epoch: string;
    readonly leader: NodeStatus | null;
    readonly followers: readonly NodeStatus[];
  }[];
  readonly proxies: readonly {
    readonly id: string;
    readonly pid: number;
    readonly admin: string;
    readonly resp: string;
    readonly ackedEpoch: string;
    readonly state: string;
  }[];
  readonly controlPlane: readonly {
    readonly id: string;
    readonly pid: number;
    readonly address: string;
    readonly leader: boolean;
  }[];
}

/** Where one proxy would read a key, and the loads that it decides by. */
export interface BalanceView {
  readonly decision: string;
  readonly node: string | null;
  readonly load: number;
  readonly cap: number;
}

/** What `ctl route KEY --json` prints. */
export interface KeyRoute {
  readonly key: string;
  readonly hash: string;
  readonly shard: string;
  readonly leader: NodeStatus | null;
  readonly followers: readonly NodeStatus[];
  readonly epoch: string;
  readonly l1: Readonly<Record<string, { readonly state: string; readonly ageMs: number }>>;
  /** Where each proxy would read the key. */
  readonly balance: Readonly<Record<string, BalanceView>>;
}

/** Who answers, for messages. */
export interface ApiParty {
  readonly name: string;
  /** The option that names its URL. */
  readonly flag: string;
}

const CONTROL_PLANE: ApiParty = { name: 'the control plane', flag: '--control-plane' };

/** The control plane's REST API, or that of another party. Close it, or its connections keep the process. */
export class ControlPlaneClient {
  readonly #origin: string;
  readonly #agent: Agent;
  readonly #party: ApiParty;

  /** `origin` is a URL such as `http://127.0.0.1:7400`; `https` takes `tls`. */
  constructor(origin: string, tls?: TlsMaterial, party = CONTROL_PLANE) {
    const url = parseOrigin(origin, tls, party);
    this.#party = party;
    this.#origin = url.origin;
    this.#agent = new Agent({
      connect: (target, callback) => connect(target, url.protocol === 'https:' ? tls : undefined, callback),
      headersTimeout: ANSWER_TIMEOUT_MS,
      bodyTimeout: ANSWER_TIMEOUT_MS,
    });
  }

  /** Reads `path`. Rejects with RingsideError: what the API answered, or `unavailable`. */
  get<T>(path: string): Promise<T> {
    return this.#request('GET', path);
  }

  /** Posts `body` to `path`; as `get`. */
  post<T>(path: string, body: object): Promise<T> {
    return this.#request('POST', path, JSON.stringify(body));
  }

  /** Closes all connections. */
  close(): Promise<void> {
    return this.#agent.destroy();
  }

  async #request<T>(method: 'GET' | 'POST', path: string, body?: string): Promise<T> {
    const { statusCode, text } = await this.#exchange(method, path, body);
    const answer = parseJson(text);
    if (statusCode < 300 && answer !== undefined) return answer as T;
    const { code, message } = (answer as { error?: { code?: string; message?: string } })?.error ?? {};
    const problem =
      message ??
      `${this.#origin}${path} answered ${statusCode} and is no ${this.#party.name.replace(/^\w+ /, '')} of Ringside`;
    throw new RingsideError((code ?? 'unavailable') as 'unavailable', problem);
  }

  async #exchange(
    method: 'GET' | 'POST',
    path: string,
    body?: string,
  ): Promise<{ statusCode: number; text: string }> {
    try {
      const headers = body === undefined ? {} : { 'content-type': 'application/json' };
      const response = await this.#agent.request({ origin: this.#origin, path, method, headers, body });
      return { statusCode: response.statusCode, text: await response.body.text() };
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      const why = code === 'ECONNREFUSED' ? 'nothing listens there' : message || String(code);
      throw new RingsideError(
        'unavailable',
        `no answer from ${this.#party.name} at ${this.#origin}: ${why}`,
        {
          cause: error,
        },
      );
    }
  }
}

function parseOrigin(text: string, tls: TlsMaterial | undefined, { flag }: ApiParty): URL {
  const url = URL.parse(text.includes('://') ? text : `http://${text}`);
  if (!url || !/^https?:$/.test(url.protocol)) {
    throw new RingsideError('bad_request', `${flag} ${text}: it is a URL such as http://127.0.0.1:7400`);
  }
  if (url.protocol === 'https:' && !tls) {
    throw new RingsideError('bad_request', `${url.origin} needs --cacert, --cert and --key`);
  }
  return url;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** undici's own TLS would check the host name; names inside a fleet are SPIFFE URIs. */
function connect(
  target: buildConnector.Options,
  tls: TlsMaterial | undefined,
  callback: buildConnector.Callback,
): void {
  const host = target.hostname.replace(/^\[(.*)\]$/, '$1');
  const port = Number(target.port) || (tls ? 443 : 80);
  const fail = (error: Error) => callback(error, null);
  const socket: Socket = connectSocket({ host, port, tls, timeoutMs: CONNECT_TIMEOUT_MS }, () => {
    socket.off('error', fail);
    callback(null, socket);
  });
  socket.once('error', fail);
}
