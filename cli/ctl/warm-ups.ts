import type { TlsMaterial } from '../../lib/net/index.ts';
import { formatTable } from '../table.ts';
import { ControlPlaneClient, type FleetStatus } from './client.ts';
import { askProxies } from './proxies.ts';

/** A proxy's warm-up, as its admin listener tells of it. */
export interface WarmUp {
  readonly state: 'warming' | 'over';
  readonly end: string | null;
  readonly from: readonly (string | null)[];
  readonly elapsedSeconds: number;
  readonly share: number | null;
  readonly goalShare: number;
  readonly etaSeconds: number | null;
  readonly counts: Readonly<Record<string, number>>;
}

/** What `ctl warm-up --json` prints: by name of the proxy, or by the URL that it was asked at. */
export type WarmUps = Readonly<Record<string, WarmUp>>;

/** Whom to ask. */
export interface WarmUpQuestion {
  /** URL of one proxy's admin listener; undefined: all that the control plane knows. */
  readonly proxy: string | undefined;
  readonly controlPlane: string;
  /** The warm-ups are to end. */
  readonly stops: boolean;
}

/** The warm-ups of proxies; those that have none are left out, unless one was named. Rejects with RingsideError. */
export async function warmUps(
  { proxy, controlPlane, stops }: WarmUpQuestion,
  tls: TlsMaterial | undefined,
): Promise<WarmUps> {
  const ask = (client: ControlPlaneClient) =>
    stops ? client.post<WarmUp>('/warm-up/stop', {}) : client.get<WarmUp>('/warm-up');
  const url = proxy ?? controlPlane;
  const party = proxy === undefined ? undefined : { name: 'the proxy', flag: '--proxy' };
  const client = new ControlPlaneClient(url, tls, party);
  try {
    if (proxy !== undefined) return { [proxy]: await ask(client) };
    const fleet = await client.get<FleetStatus>('/v1/status');
    const isSecure = controlPlane.startsWith('https:');
    const found = await askProxies(
      fleet,
      isSecure,
      tls,
      async (one) => [one.id, await ask(one.client)] as const,
    );
    return Object.fromEntries(found);
  } finally {
    await client.close();
  }
}

const COLUMNS = [
  { title: 'PROXY' },
  { title: 'STATE' },
  { title: 'FOR', right: true },
  { title: 'FROM OLD', right: true },
  { title: 'GOAL', right: true },
  { title: 'LEFT', right: true },
  { title: 'PUT IN', right: true },
  { title: 'BYTES', right: true },
  { title: 'FAILED', right: true },
];

/** The same for people, at most `width` characters wide. */
export function renderWarmUps(found: WarmUps, width?: number): string {
  const rows = Object.entries(found).map(([proxy, { counts, ...one }]) => [
    proxy,
    one.end === null ? one.state : `${one.state}: ${one.end}`,
    `${one.elapsedSeconds} s`,
    one.share === null ? '-' : percent(one.share),
    percent(one.goalShare),
    one.etaSeconds === null ? '-' : `${one.etaSeconds} s`,
    `${counts.added}`,
    `${counts.addedBytes}`,
    `${counts.failures}`,
  ]);
  return rows.length === 0 ? 'no proxy warms up\n' : formatTable(COLUMNS, rows, width);
}

function percent(share: number): string {
  return `${(100 * share).toFixed(2)} %`;
}
