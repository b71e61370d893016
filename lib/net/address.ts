import { RingsideError } from '../base/index.ts';

/** Where something listens. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** `host:port`, with brackets around an IPv6 host. */
export function formatAddress(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Reads `host:port` or `[ipv6]:port`. Throws RingsideError `config_invalid` on anything else. */
export function parseAddress(text: string): Address {
  const found = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text);
  const port = Number(found?.[3]);
  if (!found || port > 65535) throw new RingsideError('config_invalid', `"${text}" is not host:port`);
  return { host: found[1] ?? found[2], port };
}
