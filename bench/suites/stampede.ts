import {
  LookAside,
  type StampedeResult,
  type StampedeSize,
  StampedeStage,
} from '../../test/support/stampede.ts';

/** 10,000 reads at once of one key that is not there. */
const SIZE: StampedeSize = { proxies: 4, workers: 2, connectionsPerProxy: 25, depth: 100 };
/** What the origin takes for a value, as a database might. */
const ORIGIN_MS = 50;
/** Connections that all copies of the application together have to the origin. */
const ORIGIN_CONNECTIONS = 256;

/** One stampede. */
export interface StampedeRow extends StampedeResult {
  /** Who fetches what is missing. */
  readonly filler: 'the proxies' | 'each caller';
}

/**
 * Everybody misses the same key at the same moment: with an origin at the proxies, and, through the same proxies, with an application that
 * fills its cache itself.
 */
export async function stampedes(
  alternations: number,
  progress: (line: string) => void,
): Promise<StampedeRow[]> {
  const stage = await StampedeStage.start(SIZE);
  const lookAside = new LookAside(stage.origin, ORIGIN_CONNECTIONS);
  try {
    await stage.origin.tell({ delayMs: ORIGIN_MS });
    const rows: StampedeRow[] = [];
    for (let turn = 0; turn < alternations; turn++) {
      const filled = await stage.stampede(SIZE, (client) => client.text('GET', `o:${turn}`));
      rows.push({ filler: 'the proxies', ...filled });
      const plain = await stage.stampede(SIZE, (client) => lookAside.read(client, `plain:${turn}`));
      rows.push({ filler: 'each caller', ...plain });
      progress(`stampede: turn ${turn + 1} of ${alternations}`);
    }
    return rows;
  } finally {
    await lookAside.close();
    await stage.stop();
  }
}
