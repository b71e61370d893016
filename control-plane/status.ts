import { RingsideError } from '../lib/base/index.ts';
import { keyHashHex, Ring, type RingDocument } from '../lib/ring/index.ts';
import type { FleetView, NodeView, ProxyView, ShardView } from './core/index.ts';

/** This process, as the status shows it. */
export interface ControlPlaneView {
  id: string;
  pid: number;
  address: string;
  leader: boolean;
}

/** What `GET /v1/status` answers and `ctl status --json` prints. */
export interface StatusBody {
  ring: { incarnation: string; epoch: string; sha256: string } | null;
  shards: ShardView[];
  proxies: ProxyView[];
  controlPlane: ControlPlaneView[];
}

/** What `GET /v1/route` answers and `ctl route --json` prints. */
export interface RouteBody {
  key: string;
  /** 16 hex digits. */
  hash: string;
  shard: string;
  leader: NodeView | null;
  followers: NodeView[];
  /** Shard epoch. */
  epoch: string;
  /** State of the key in each proxy's near cache. */
  l1: Record<string, { state: string; ageMs: number }>;
}

/** The fleet and this process. */
export function statusBody(fleet: FleetView, self: ControlPlaneView): StatusBody {
  const { document, shards, proxies } = fleet;
  const ring = document && {
    incarnation: document.incarnation,
    epoch: document.epoch,
    sha256: document.sha256,
  };
  return { ring, shards, proxies, controlPlane: [self] };
}

/** Answers where keys live; builds each ring once. */
export class Routes {
  #document: RingDocument | null = null;
  #ring: Ring | null = null;

  /** Throws RingsideError `unavailable` while there is no ring. */
  of(key: Buffer, fleet: FleetView): RouteBody {
    const { document } = fleet;
    if (document === null) throw new RingsideError('unavailable', 'there is no ring yet');
    if (this.#ring === null || this.#document !== document) {
      this.#ring = Ring.of(document.shards, { virtualNodes: document.virtualNodes });
      this.#document = document;
    }
    const shard = fleet.shards[this.#ring.shardOf(key, 0, key.length)];
    const { name, leader, followers, epoch } = shard;
    return { key: key.toString(), hash: keyHashHex(key), shard: name, leader, followers, epoch, l1: {} };
  }
}

/**
 * The bytes of the parameter `name` in the query of `url`. Any byte may be written as `%XX`, and `+` stands for
 * itself, because keys are bytes rather than text. Null when there is no such parameter; throws RingsideError
 * `bad_request` on a bad escape.
 */
export function queryBytes(url: string, name: string): Buffer | null {
  const query = url.slice(url.indexOf('?') + 1 || url.length);
  const found = query.split('&').find((pair) => pair === name || pair.startsWith(`${name}=`));
  return found === undefined ? null : percentDecode(found.slice(name.length + 1));
}

function percentDecode(text: string): Buffer {
  const raw = Buffer.from(text, 'latin1');
  const bytes: number[] = [];
  for (let i = 0; i < raw.length; i++) {
    if (raw[i] !== 0x25) {
      bytes.push(raw[i]);
      continue;
    }
    const digits = raw.toString('latin1', i + 1, i + 3);
    if (!/^[0-9a-fA-F]{2}$/.test(digits))
      throw new RingsideError('bad_request', `bad escape %${digits} in the key`);
    bytes.push(Number.parseInt(digits, 16));
    i += 2;
  }
  return Buffer.from(bytes);
}
