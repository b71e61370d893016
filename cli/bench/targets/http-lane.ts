import { Client } from 'undici';
import { Lane } from '../lane.ts';
import { GET, type Operation, SET } from '../operation.ts';
import type { Payload } from '../payload.ts';
import type { Session } from '../session.ts';
import { connector, originOf, type Target } from '../target.ts';

const ANSWER_TIMEOUT_MS = 30_000;

interface MgetAnswer {
  readonly results: readonly { readonly found?: boolean; readonly error?: { readonly message: string } }[];
}

/** The proxy's HTTP interface, over one connection with up to `window` requests in it. */
export class HttpLane extends Lane {
  readonly #client: Client;
  readonly #payload: Payload;
  #batch: Operation[] = [];
  #isClosed = false;

  constructor(target: Target, session: Session, window: number, payload: Payload) {
    super(session, window);
    this.#payload = payload;
    this.#client = new Client(originOf(target), {
      pipelining: window,
      connect: connector(target),
      headersTimeout: ANSWER_TIMEOUT_MS,
      bodyTimeout: ANSWER_TIMEOUT_MS,
    });
  }

  override get isOpen(): boolean {
    return !this.#isClosed;
  }

  override async open(): Promise<void> {
    const { body } = await this.#client.request({ method: 'GET', path: '/v1/key/bench:0' });
    await body.dump();
  }

  override close(): void {
    this.#isClosed = true;
    this.#client.destroy().catch(() => {});
  }

  protected override send(operation: Operation): void {
    this.#batch.push(operation);
  }

  protected override flush(): void {
    const batch = this.#batch;
    this.#batch = [];
    for (const operation of batch) void this.#perform(operation);
  }

  async #perform(operation: Operation): Promise<void> {
    try {
      const hits = await this.#exchange(operation);
      this.session.tick();
      if (typeof hits === 'number') this.answered(operation, hits);
      else this.failed(operation, hits);
    } catch (error) {
      this.session.tick();
      this.failed(operation, (error as Error).message || String((error as NodeJS.ErrnoException).code));
      this.pause();
    }
    this.fill();
  }

  /** How many keys were there, or what went wrong. */
  async #exchange({ kind, key, keys, valueBytes }: Operation): Promise<number | string> {
    const path = `/v1/key/${key}`;
    if (kind === GET) return this.#request({ method: 'GET', path }, [200], [404]);
    if (kind === SET) {
      return this.#request(
        { method: 'PUT', path, body: this.#payload.bytes(valueBytes) },
        [],
        [200, 201, 204],
      );
    }
    const body = JSON.stringify({ keys });
    const headers = { 'content-type': 'application/json' };
    const answer = await this.#client.request({ method: 'POST', path: '/v1/mget', headers, body });
    const text = await answer.body.text();
    if (answer.statusCode !== 200) return `HTTP ${answer.statusCode}`;
    const { results } = JSON.parse(text) as MgetAnswer;
    const failed = results.find(({ error }) => error);
    return failed ? failed.error!.message : results.filter(({ found }) => found).length;
  }

  async #request(
    request: { method: 'GET' | 'PUT'; path: string; body?: Buffer },
    hit: readonly number[],
    noHit: readonly number[],
  ): Promise<number | string> {
    const { statusCode, body } = await this.#client.request(request);
    await body.dump({ limit: Number.MAX_SAFE_INTEGER });
    if (hit.includes(statusCode)) return 1;
    return noHit.includes(statusCode) ? 0 : `HTTP ${statusCode}`;
  }
}
