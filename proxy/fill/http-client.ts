import type { Pool } from 'undici';
import { RingsideError } from '../../lib/base/index.ts';
import type { Pieces } from '../core/api.ts';
import type { HeaderFields } from './lifetime.ts';

/** Shorter chunks are copied: they would keep a socket's whole buffer alive. */
const KEPT_CHUNK_BYTES = 16 * 1024;

/** What a server answered. The body is empty unless the status is 200. */
export interface HttpAnswer {
  readonly status: number;
  readonly fields: HeaderFields;
  readonly body: Pieces;
  readonly bytes: number;
}

/** What one request may cost. */
export interface HttpLimits {
  readonly timeoutMs: number;
  readonly maxBytes: number;
}

/** Hears of an answer as soon as its head is there; returns who takes the chunks of its body too, if anybody. */
export type OnHead = (status: number, fields: HeaderFields) => ((chunk: Buffer) => void) | null;

/** GET requests to one server over at most so many connections, which are opened when needed and kept. */
export class HttpClient {
  readonly #server: string;
  readonly #maxConnections: number;
  #pool: Promise<Pool> | null = null;

  /** `server`: `http://host:port`. */
  constructor(server: string, maxConnections: number) {
    this.#server = server;
    this.#maxConnections = maxConnections;
  }

  /**
   * Redirects are not followed. Rejects with RingsideError `timeout`, `too_large` (the server is well; the message says what was too long) or
   * `unavailable` (no connection, a broken one, an answer that is no HTTP).
   */
  async get(path: string, { timeoutMs, maxBytes }: HttpLimits, onHead: OnHead): Promise<HttpAnswer> {
    this.#pool ??= this.#open();
    const signal = AbortSignal.timeout(timeoutMs);
    try {
      const pool = await this.#pool;
      const headers = { accept: '*/*', 'accept-encoding': 'identity' };
      const {
        statusCode,
        headers: fields,
        body,
      } = await pool.request({ path, method: 'GET', headers, signal });
      const onChunk = onHead(statusCode, fields);
      if (statusCode === 200)
        return { status: statusCode, fields, ...(await collect(body, maxBytes, onChunk)) };
      await body.dump({ limit: KEPT_CHUNK_BYTES, signal });
      return { status: statusCode, fields, body: [], bytes: 0 };
    } catch (error) {
      throw translated(error as Error, signal, timeoutMs);
    }
  }

  /** Ends what is under way. */
  async close(): Promise<void> {
    const pool = await this.#pool;
    await pool?.destroy();
  }

  async #open(): Promise<Pool> {
    // Loaded by those who have an origin: it costs every process 50 ms and some memory.
    const { Pool } = await import('undici');
    return new Pool(this.#server, {
      connections: this.#maxConnections,
      pipelining: 1,
      // The signal bounds the request as a whole.
      headersTimeout: 0,
      bodyTimeout: 0,
    });
  }
}

type Body = AsyncIterable<Buffer>;

async function collect(
  source: Body,
  maxBytes: number,
  onChunk: ((chunk: Buffer) => void) | null,
): Promise<{ body: Pieces; bytes: number }> {
  const body: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of source) {
    bytes += chunk.length;
    // Leaving the loop ends the connection.
    if (bytes > maxBytes) throw new RingsideError('too_large', `its value is longer than ${maxBytes} bytes`);
    const piece = chunk.length < KEPT_CHUNK_BYTES ? Buffer.from(chunk) : chunk;
    body.push(piece);
    onChunk?.(piece);
  }
  return { body, bytes };
}

function translated(error: Error, signal: AbortSignal, timeoutMs: number): RingsideError {
  if (error instanceof RingsideError) return error;
  if (signal.aborted) return new RingsideError('timeout', `no whole answer within ${timeoutMs} ms`);
  return new RingsideError('unavailable', error.message || error.name, { cause: error });
}
