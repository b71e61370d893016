import type { Socket } from 'node:net';
import type { buildConnector } from 'undici';
import { connectSocket, formatAddress, type TlsMaterial } from '../../lib/net/index.ts';
import { UsageError } from '../errors.ts';
import type { Lane } from './lane.ts';
import type { Payload } from './payload.ts';
import type { Session } from './session.ts';

export type Protocol = 'resp' | 'memcache' | 'http' | 'grpc';

/** What is put under load. */
export interface Target {
  /** As given, without the password. */
  readonly name: string;
  readonly protocol: Protocol;
  readonly host: string;
  readonly port: number;
  readonly username?: string;
  readonly password?: string;
  readonly tls?: TlsMaterial;
}

/** `[protocol, default port, with TLS]` by scheme. */
const SCHEMES: Readonly<Record<string, readonly [Protocol, number, boolean]>> = {
  resp: ['resp', 7379, false],
  redis: ['resp', 7379, false],
  resps: ['resp', 7379, true],
  rediss: ['resp', 7379, true],
  memcache: ['memcache', 7311, false],
  memcaches: ['memcache', 7311, true],
  http: ['http', 7380, false],
  https: ['http', 7380, true],
  grpc: ['grpc', 7381, false],
  grpcs: ['grpc', 7381, true],
};

const CONNECT_TIMEOUT_MS = 5000;

/** Reads a target's URL. `tls` is used by the schemes that need it. Throws UsageError. */
export function parseTarget(text: string, tls?: TlsMaterial): Target {
  const scheme = SCHEMES[text.slice(0, text.indexOf(':'))];
  // The URL class knows the default port of http, and host names only of schemes it knows.
  const url = scheme && URL.parse(text.replace(/^\w+:/, 'ftp:'));
  if (!url || url.hostname === '' || !['', '/', '/0'].includes(url.pathname)) {
    throw new UsageError(
      `${text} is no target: write resp://, memcache://, http:// or grpc://, then HOST:PORT`,
    );
  }
  const [protocol, defaultPort, isSecure] = scheme;
  if (isSecure && !tls) throw new UsageError(`${text} needs --cacert, --cert and --key`);
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const port = Number(url.port) || defaultPort;
  return {
    name: `${text.slice(0, text.indexOf(':'))}://${formatAddress(host, port)}`,
    protocol,
    host,
    port,
    ...(url.username !== '' && { username: decodeURIComponent(url.username) }),
    ...(url.password !== '' && { password: decodeURIComponent(url.password) }),
    ...(isSecure && { tls }),
  };
}

/** A lane to a target; loads what its protocol needs. */
export type LaneFactory = (session: Session, window: number, payload: Payload) => Lane;

/** Loads the protocol of a target. */
export async function laneFactory(target: Target): Promise<LaneFactory> {
  switch (target.protocol) {
    case 'resp': {
      const { RespLane } = await import('./targets/resp-lane.ts');
      return (...rest) => new RespLane(target, ...rest);
    }
    case 'memcache': {
      const { MemcacheLane } = await import('./targets/memcache-lane.ts');
      return (...rest) => new MemcacheLane(target, ...rest);
    }
    case 'http': {
      const { HttpLane } = await import('./targets/http-lane.ts');
      return (...rest) => new HttpLane(target, ...rest);
    }
    case 'grpc': {
      const { GrpcLane } = await import('./targets/grpc-lane.ts');
      return (...rest) => new GrpcLane(target, ...rest);
    }
  }
}

/** The origin of an HTTP target. */
export function originOf({ host, port, tls }: Target): string {
  return `${tls ? 'https' : 'http'}://${formatAddress(host, port)}`;
}

/** How undici connects to an HTTP target: names inside a fleet are SPIFFE URIs, which its own TLS does not check. */
export function connector({ host, port, tls }: Target): buildConnector.connector {
  return (_options, callback) => {
    const fail = (error: Error) => callback(error, null);
    const socket: Socket = connectSocket({ host, port, tls, timeoutMs: CONNECT_TIMEOUT_MS }, () => {
      socket.off('error', fail);
      callback(null, socket);
    });
    socket.once('error', fail);
  };
}
