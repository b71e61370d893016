import { formatTable } from '../table.ts';
import type { FleetStatus, KeyRoute, NodeStatus } from './client.ts';

const NODE_COLUMNS = [
  { title: 'SHARD' },
  { title: 'EPOCH', right: true },
  { title: 'ROLE' },
  { title: 'NODE' },
  { title: 'PID', right: true },
  { title: 'ADDRESS' },
  { title: 'STATE' },
  { title: 'LAG', right: true },
];

/** `ctl status` for people, at most `width` characters wide. */
export function renderStatus(status: FleetStatus, width?: number): string {
  const { ring, shards, proxies, controlPlane } = status;
  const head = ring
    ? `ring ${ring.incarnation}.${ring.epoch}  sha256 ${ring.sha256.slice(0, 12)}…\n`
    : 'no ring yet\n';
  const nodeRows = shards.flatMap((shard) => [
    [shard.name, shard.epoch, 'leader', ...nodeCells(shard.leader, false)],
    ...shard.followers.map((node) => ['', '', 'follower', ...nodeCells(node, true)]),
  ]);
  const proxyRows = proxies.map((p) => [p.id, `${p.pid}`, p.resp, p.admin, p.ackedEpoch, p.state]);
  const proxyColumns = [
    { title: 'PROXY' },
    { title: 'PID', right: true },
    { title: 'RESP' },
    { title: 'ADMIN' },
    { title: 'RING', right: true },
    { title: 'STATE' },
  ];
  const planeRows = controlPlane.map((c) => [c.id, `${c.pid}`, c.address, c.leader ? 'leader' : 'standby']);
  const planeColumns = [
    { title: 'CONTROL PLANE' },
    { title: 'PID', right: true },
    { title: 'ADDRESS' },
    { title: 'STATE' },
  ];
  const tables = [
    formatTable(NODE_COLUMNS, nodeRows, width),
    ...(proxies.length > 0 ? [formatTable(proxyColumns, proxyRows, width)] : []),
    formatTable(planeColumns, planeRows, width),
  ];
  return [head, ...tables].join('\n');
}

/** `ctl route KEY` for people. */
export function renderRoute(route: KeyRoute, width?: number): string {
  const rows = [
    ['leader', ...nodeCells(route.leader, false)],
    ...route.followers.map((node) => ['follower', ...nodeCells(node, true)]),
  ];
  const l1 = Object.entries(route.l1).map(
    ([proxy, { state, ageMs }]) =>
      `near cache of ${proxy}: ${state}${ageMs > 0 ? `, ${ageMs} ms old` : ''}\n`,
  );
  const balance = Object.entries(route.balance)
    .filter(([, { decision }]) => decision !== 'leader')
    .map(
      ([proxy, { decision, node, load, cap }]) =>
        `${proxy} reads it at ${node ?? 'nobody'} (${decision}): its leader has ${load} commands, and may have ${cap}\n`,
    );
  return [
    `key ${JSON.stringify(route.key)}, hash ${route.hash}: ${route.shard} at epoch ${route.epoch}\n\n`,
    formatTable(NODE_COLUMNS.slice(2), rows, width),
    ...l1,
    ...balance,
  ].join('');
}

/** The ring's shards for people. */
export function renderRing(ring: RingView, width?: number): string {
  const rows = ring.shards.map((shard) => [
    shard.name,
    `${shard.weight}`,
    shard.epoch,
    shard.leader ?? '-',
    shard.followers.join(' ') || '-',
  ]);
  const columns = [
    { title: 'SHARD' },
    { title: 'WEIGHT', right: true },
    { title: 'EPOCH', right: true },
    { title: 'LEADER' },
    { title: 'FOLLOWERS' },
  ];
  const head = `ring ${ring.incarnation}.${ring.epoch}, ${ring.virtualNodes} virtual nodes per unit of weight\nsha256 ${ring.sha256}\n\n`;
  return head + formatTable(columns, rows, width);
}

/** What of a ring document is shown. */
export interface RingView {
  readonly incarnation: string;
  readonly epoch: string;
  readonly sha256: string;
  readonly virtualNodes: number;
  readonly shards: readonly {
    readonly name: string;
    readonly weight: number;
    readonly epoch: string;
    readonly leader: string | null;
    readonly followers: readonly string[];
  }[];
}

function nodeCells(node: NodeStatus | null, withLag: boolean): string[] {
  if (!node) return ['none', '', '', '', ''];
  return [node.id, `${node.pid ?? ''}`, node.address, node.state, withLag ? lagOf(node) : ''];
}

/** What is known of it. */
function lagOf({ lagBytes, lagMs }: NodeStatus): string {
  const parts = [...(lagBytes === null ? [] : [`${lagBytes} B`]), ...(lagMs === null ? [] : [`${lagMs} ms`])];
  return parts.join(', ');
}
