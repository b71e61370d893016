import type { Config, UpstreamConfig } from '../../lib/config/index.ts';
import { DEFAULT_VIRTUAL_NODES, type RingDocument, sealDocument } from '../../lib/ring/index.ts';
import type { Topology, TopologyShard } from '../core/topology.ts';
import { accessOf, engineOf } from '../engine/index.ts';

/** Where a proxy says itself how its upstreams are asked. */
type OfProxy = Pick<Config['proxy'], 'engine' | 'nodePassword'>;

/** The nodes of a ring document, with its shard epochs, and beside them the gutter that only the proxy knows. */
export function topologyOfDocument(document: RingDocument, gutters: readonly TopologyShard[]): Topology {
  const addresses = new Map(document.nodes.map(({ id, address }) => [id, address]));
  const shards = document.shards.map(({ name, weight, epoch, leader, followers }) => ({
    name,
    weight,
    epoch,
    leader: leader === null ? null : (addresses.get(leader) ?? null),
    followers: followers.flatMap((id) => addresses.get(id) ?? []),
  }));
  return { virtualNodes: document.virtualNodes, ringEpoch: document.epoch, shards, gutters };
}

/** The nodes of a fixed ring: no epochs, so none is announced on connections. `proxy` says what holds for all of them. */
export function topologyOfUpstreams(upstreams: readonly UpstreamConfig[], proxy: OfProxy): Topology {
  const shards = upstreams.filter(({ gutter }) => !gutter).map((shard) => shardOf(shard, proxy));
  return { virtualNodes: DEFAULT_VIRTUAL_NODES, shards, gutters: guttersOf(upstreams, proxy) };
}

/** Those of these upstreams that are outside the ring. */
export function guttersOf(upstreams: readonly UpstreamConfig[], proxy: OfProxy): TopologyShard[] {
  return upstreams.filter(({ gutter }) => gutter).map((shard) => shardOf(shard, proxy));
}

function shardOf(upstream: UpstreamConfig, proxy: OfProxy): TopologyShard {
  const { name, weight, leader, followers } = upstream;
  const engine = engineOf(upstream, proxy);
  return { name, weight, epoch: null, leader, followers, engine, access: accessOf(upstream, proxy) };
}

/** A fixed ring as a document, for people to look at: incarnation and epochs are 0, and a node is called by its address. */
export function documentOfUpstreams(all: readonly UpstreamConfig[]): RingDocument {
  const upstreams = all.filter(({ gutter }) => !gutter);
  const shards = upstreams.map(({ name, weight, leader, followers }) => ({
    name,
    weight,
    epoch: '0',
    leader,
    followers,
  }));
  const nodes = upstreams.flatMap(({ name, leader, followers }) =>
    [...(leader === null ? [] : [leader]), ...followers].map((address) => ({
      id: address,
      runId: 'fixed',
      shard: name,
      address,
      admin: '',
    })),
  );
  const virtualNodes = DEFAULT_VIRTUAL_NODES;
  return sealDocument({ incarnation: '0', epoch: '0', virtualNodes, leaseMs: 1000, shards, nodes });
}
