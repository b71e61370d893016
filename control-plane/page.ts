import type { NodeView } from './core/index.ts';
import type { StatusBody } from './status.ts';

const STYLE = `
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; color: #1c2024; background: #fff }
h1 { font-size: 1.4rem; margin: 0 } h2 { font-size: 1.1rem; margin: 2rem 0 .4rem } p { margin: .2rem 0; color: #60646c }
table { border-collapse: collapse; width: 100% } th, td { text-align: left; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid #e0e1e6 }
th { font-weight: 600; color: #60646c } td.n, th.n { text-align: right } code { font-size: 13px }
.serving { color: #116329 } .syncing, .starting { color: #9a6700 } .suspect, .dead { color: #b42318; font-weight: 600 }
@media (prefers-color-scheme: dark) { body { color: #edeef0; background: #111113 } p, th { color: #b0b4ba } th, td { border-color: #363a3f }
.serving { color: #71d083 } .syncing, .starting { color: #ffca16 } .suspect, .dead { color: #ff9592 } }`;

/** The status as a page that needs nothing else: no scripts, no files. It reloads itself every two seconds. */
export function renderPage(status: StatusBody): string {
  const { ring } = status;
  const version =
    ring === null ? 'no ring yet' : `ring ${ring.incarnation}/${ring.epoch} · ${ring.sha256.slice(0, 12)}`;
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta http-equiv="refresh" content="2"><title>Ringside</title><style>${STYLE}</style></head><body>
<h1>Ringside</h1><p>${escapeHtml(version)}</p>
<h2>Shards</h2>${shardTable(status)}
<h2>Proxies</h2>${proxyTable(status)}
<h2>Control plane</h2>${controlPlaneTable(status)}
<p>The same as JSON: <a href="/v1/status">/v1/status</a>, <a href="/v1/ring">/v1/ring</a>; figures: <a href="/metrics">/metrics</a></p>
</body></html>
`;
}

function shardTable({ shards }: StatusBody): string {
  const rows = shards.flatMap(({ name, epoch, leader, followers, failover }) => {
    const lines = [
      ...(leader === null ? [] : [nodeRow(name, epoch, 'leader', leader)]),
      ...followers.map((node) => nodeRow(name, epoch, node.listed ? 'follower' : 'joining', node)),
    ];
    for (const { id, refusal } of [leader, ...followers].filter((node) => node !== null)) {
      if (refusal !== null) lines.push(note(`${id} refused the ring: ${refusal}`));
    }
    if (failover !== null) lines.push(note(failover));
    return lines;
  });
  return table(['Shard', '#Epoch', 'Role', 'Node', 'State', 'Address', '#Offset', '#Lag bytes'], rows);
}

function nodeRow(shard: string, epoch: string, role: string, node: NodeView): string {
  return row([
    shard,
    `#${epoch}`,
    role,
    node.id,
    node.state,
    node.address,
    `#${node.offset}`,
    `#${node.lagBytes ?? '?'}`,
  ]);
}

function note(text: string): string {
  return `<tr><td colspan="8" class="suspect">${escapeHtml(text)}</td></tr>`;
}

function proxyTable({ proxies }: StatusBody): string {
  const rows = proxies.map((proxy) =>
    row([proxy.id, proxy.state, proxy.resp, proxy.admin, `#${proxy.ackedEpoch}`]),
  );
  return table(['Proxy', 'State', 'RESP', 'Admin', '#Acknowledged'], rows);
}

function controlPlaneTable({ controlPlane }: StatusBody): string {
  const rows = controlPlane.map((one) =>
    row([one.id, `#${one.pid}`, one.address, one.leader ? 'leader' : 'standby']),
  );
  return table(['Process', '#Pid', 'Address', 'Role'], rows);
}

const STATES = new Set(['serving', 'syncing', 'starting', 'suspect', 'dead']);

/** A cell that begins with `#` holds a number. */
function table(titles: string[], rows: string[]): string {
  if (rows.length === 0) return '<p>none</p>';
  const head = titles.map((title) => cell('th', title)).join('');
  return `<table><tr>${head}</tr>${rows.join('')}</table>`;
}

function row(cells: string[]): string {
  return `<tr>${cells.map((text) => cell('td', text)).join('')}</tr>`;
}

function cell(tag: 'td' | 'th', text: string): string {
  if (text.startsWith('#')) return `<${tag} class="n">${escapeHtml(text.slice(1))}</${tag}>`;
  return `<${tag}${STATES.has(text) ? ` class="${text}"` : ''}>${escapeHtml(text)}</${tag}>`;
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
}
