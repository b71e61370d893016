import { RespError, type RespValue } from '../../lib/codec/resp/index.ts';
import { formatAddress } from '../../lib/net/index.ts';

/** What a server says of itself when asked for its ROLE. */
export type NodeRole =
  | { readonly role: 'leader'; readonly offset: number; readonly followers: number }
  | {
      readonly role: 'follower';
      /** `host:port` of whom it follows. */
      readonly leader: string;
      /** `connect`, `connecting`, `sync` or `connected`, as Redis says it. */
      readonly link: string;
    };

/** What is known of a server: its role, nothing yet, or that it does not answer. */
export type NodeView = NodeRole | { readonly role: 'unknown' } | { readonly role: 'unreachable' };

/** Reads the answer to ROLE. Throws when it is an error (LOADING, NOPERM, …), or of no data node (a Sentinel). */
export function parseRole(reply: RespValue): NodeRole {
  if (reply instanceof RespError) throw reply;
  const [name, ...rest] = Array.isArray(reply) ? reply : [];
  if (String(name) === 'master') {
    const [offset, followers] = rest;
    return {
      role: 'leader',
      offset: Number(offset),
      followers: Array.isArray(followers) ? followers.length : 0,
    };
  }
  if (String(name) !== 'slave') throw new Error(`it answers ROLE with ${String(name)}`);
  const [host, port, link] = rest;
  return { role: 'follower', leader: formatAddress(String(host), Number(port)), link: String(link) };
}
