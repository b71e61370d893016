import grpc from '@grpc/grpc-js';
import type { Test } from 'tap';
import { caller, packages } from '../proxy/grpc-contract.ts';
import { MemcachedClient } from './memcached-client.ts';
import { RespClient } from './resp-client.ts';

/** What is there of each key: its value, null, or `error`. */
export type Read = (keys: readonly string[]) => Promise<(string | null)[]>;

/** Addresses of a proxy. */
export interface Listeners {
  readonly resp: string;
  readonly memcached: string;
  readonly http: string;
  readonly grpc: string;
}

/** Over RESP, by a client of its own. */
export function overResp(t: Test, { resp }: Listeners): Read {
  const client = new RespClient(resp);
  t.teardown(() => client.close());
  return async (keys) => {
    const answer = await client.send('MGET', ...keys);
    if (!Array.isArray(answer)) return keys.map(() => 'error');
    return answer.map((value) => (value === null ? null : String(value)));
  };
}

export function overMemcached(t: Test, { memcached }: Listeners): Read {
  const client = new MemcachedClient(t, memcached);
  return async (keys) => {
    const answer = await client.ask(`get ${keys.join(' ')}\r\n`);
    if (answer.startsWith('SERVER_ERROR')) return keys.map(() => 'error');
    const items = [...answer.matchAll(/VALUE (\S+) 0 \d+\r\n([^\r]*)\r\n/g)].map(([, key, value]) => [
      key,
      value,
    ]);
    // Keys that are not there are left out: whatever is said must be in the order of the keys.
    return keys.map((key) => (items[0]?.[0] === key ? items.shift()![1] : null));
  };
}

export function overHttp(_: Test, { http }: Listeners): Read {
  return async (keys) => {
    const answer = await fetch(`http://${http}/v1/mget`, { method: 'POST', body: JSON.stringify({ keys }) });
    const { results } = (await answer.json()) as { results: { value?: string; error?: object }[] };
    return results.map(({ value, error }) => (error ? 'error' : (value ?? null)));
  };
}

export function overGrpc(t: Test, listeners: Listeners): Read {
  const client = new packages.ringside.v1.Cache(listeners.grpc, grpc.credentials.createInsecure());
  t.teardown(() => client.close());
  const call = caller(client);
  return async (keys) => {
    const { results } = await call('MultiGet', { keys: keys.map((key) => Buffer.from(key)) });
    return results.map(({ found, value, error }: { found: boolean; value: Buffer; error: object | null }) =>
      error ? 'error' : found ? String(value) : null,
    );
  };
}
