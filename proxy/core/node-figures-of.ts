import type { LoadFigure } from './balance-port.ts';
import type { NodeFigure } from './node-figures.ts';
import type { Router } from './router.ts';
import type { UpstreamNode } from './topology.ts';

/** What a thread knows of every node of the present ring, shard by shard, the leader first. */
export function nodeFigures(router: Router): NodeFigure[] {
  const loads = new Map(router.balance?.loads().map((load) => [load.node, load]));
  return router.allRoutes.flatMap(({ leader, followers }) => {
    const of = (node: UpstreamNode, role: NodeFigure['role']) => figureOf(node, role, loads.get(node.name));
    const nodes = followers.map((node) => of(node, 'follower'));
    return leader === null ? nodes : [of(leader, 'leader'), ...nodes];
  });
}

/** What was counted begins again at 0. */
export function resetNodeFigures(router: Router): void {
  for (const node of router.nodes) node.figures.reset();
}

function figureOf(node: UpstreamNode, role: NodeFigure['role'], load?: LoadFigure): NodeFigure {
  const { figures, links, health } = node;
  let state: NodeFigure['state'] = node.isConnected ? 'connected' : 'connecting';
  if (health.isEjected) state = 'ejected';
  if (health.isSuspect) state = 'suspect';
  return {
    shard: node.shard,
    node: node.name,
    role,
    state,
    breaker: health.breakerState,
    breakerOpened: health.breaker.opened,
    breakerRefused: health.breaker.refused,
    load: load?.load ?? 0,
    loadCap: load?.cap ?? 0,
    inFlight: node.inFlight,
    queuedBytes: links.reduce((sum, link) => sum + link.queuedBytes, 0),
    shared: links.filter(({ isReady }) => isReady).length,
    private: node.privates.size,
    retries: figures.retries,
    errors: figures.errors,
    failures: figures.failures,
    hedges: figures.hedges,
    hedgesWon: figures.hedgesWon,
    multiGetHedges: figures.multiGetHedges,
    multiGetHedgesWon: figures.multiGetHedgesWon,
    durations: figures.counted(),
  };
}
