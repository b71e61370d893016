import { formatAddress } from '../../lib/net/index.ts';
import { UsageError } from '../errors.ts';

const DEFAULT_PORT = 6379;

/** A redis-server or a node, as a URL names it. */
export interface ServerUrl {
  readonly host: string;
  readonly port: number;
  /** `host:port`. */
  readonly address: string;
  /** Empty: the user `default`. */
  readonly user: string;
  /** Empty: without. */
  readonly password: string;
}

/** Reads `redis://[user:password@]host:port[/0]`, the value of `flag`. Throws UsageError. */
export function parseServerUrl(text: string, flag: string): ServerUrl {
  const url = URL.parse(text);
  if (url?.protocol === 'rediss:')
    throw new UsageError(`${flag}: TLS to a server (rediss://) is not supported by migrate`);
  if (url?.protocol !== 'redis:' || url.hostname === '' || url.search !== '' || url.hash !== '')
    throw new UsageError(`${flag}: write it as redis://[user:password@]host:port`);
  if (!['', '/', '/0'].includes(url.pathname))
    throw new UsageError(
      `${flag}: leave ${url.pathname} out: all databases are carried along, and proxies serve database 0`,
    );
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const port = Number(url.port) || DEFAULT_PORT;
  return {
    host,
    port,
    address: formatAddress(host, port),
    user: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
  };
}
