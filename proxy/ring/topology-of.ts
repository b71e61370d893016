import type { Config, UpstreamConfig } from '../../lib/config/index.ts';
import { DEFAULT_VIRTUAL_NODES, type RingDocument, sealDocument } from '../../lib/ring/index.ts';
import type { Topology } from '../core/topology.ts';
import { accessOf, engineOf } from '../engine/index.ts';

/** The nodes of a ring document, with its shard epochs. */
export function topologyOfDocument(document: RingDocument): Topology {
  const addresses = new Map(document.nodes.map(({ id, address }) => [id, address]));
  const shards = document.shards.map(({ name, weight, epoch, leader, followers }) => ({
    name,
    weight,
    epoch,
    leader: leader === null ? null : (addresses.get(leader) ?? null),
    followers: followers.flatMap((id) => addresses.get(id) ?? []),
  }));
  return { virtualNodes: document.virtualNodes, ringEpoch: document.epoch, shards };
}

/** The nodes of a fixed ring: no epochs, so none is announced on connections. `proxy` says what holds for all of them. */
export function topologyOfUpstreams(
  upstreams: readonly UpstreamConfig[],
  proxy: Pick<Config['proxy'], 'engine' | 'nodePassword'>,
): Topology {
  const shardOf = (upstream: UpstreamConfig) => {
    const { name, weight, leader, followers } = upstream;
    const engine = engineOf(upstream, proxy);
    return { name, weight, epoch: null, leader, followers, engine, access: accessOf(upstream, proxy) };
  };
  const shards = upstreams.filter(({ gutter }) => !gutter).map(shardOf);
  const gutters = upstreams.filter(({ gutter }) => gutter).map(shardOf);
  return { virtualNodes: DEFAULT_VIRTUAL_NODES, shards, gutters };
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
