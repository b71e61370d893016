import { fill, residentBytes } from '../support/fill.ts';
import { startNodeProgram } from '../support/peers.ts';

const MIB = 2 ** 20;
const KEY_AND_RECORD_BYTES = 28;
const SAMPLE_MS = 50;

/** By how much the process had grown since it was idle, in parts of its budget: the most during the phase, and at its end. */
export interface BudgetRow {
  readonly what: string;
  readonly server: string;
  readonly budgetMiB: number;
  /** Resident size of the idle process, which is not in the parts. */
  readonly idleMiB: number;
  readonly mostPart: number;
  readonly endPart: number;
  readonly perSecond: number;
}

/** Values of one kind, written until they are so many times what the budget holds. */
interface Phase {
  readonly name: string;
  readonly times: number;
  readonly meanBytes: number;
  readonly valueBytes: (entry: number) => number;
}

/** From 0 to below 1, always the same for an entry. */
function spread(entry: number): number {
  let mixed = Math.imul(entry ^ (entry >>> 16), 0x45d9f3b);
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x2c1b3c6d);
  return ((mixed ^ (mixed >>> 13)) >>> 0) / 2 ** 32;
}

/** A workload that changes: each leaves the store full of sizes that the next one has no use for. */
const phases: readonly Phase[] = [
  { name: '100 B', times: 1.5, meanBytes: 100, valueBytes: () => 100 },
  {
    name: '10 B to 4 KB',
    times: 1.5,
    meanBytes: 1008,
    valueBytes: (entry) => 10 + Math.floor(3990 * spread(entry) ** 3),
  },
  {
    name: '5 to 100 KB',
    times: 1.5,
    meanBytes: 52_500,
    valueBytes: (entry) => 5000 + Math.floor(95_000 * spread(entry)),
  },
  {
    name: '20 to 60 B',
    times: 0.5,
    meanBytes: 40,
    valueBytes: (entry) => 20 + Math.floor(40 * spread(entry)),
  },
];

/** What a node with a budget grows by, while a workload that changes writes several times what it may hold. */
export async function holdsBudget(budgetMiB: number): Promise<BudgetRow[]> {
  const server = await startNodeProgram(['--maxmemory', `${budgetMiB}mb`]);
  const rows: BudgetRow[] = [];
  const idle = residentBytes(server.pid);
  const part = () => (residentBytes(server.pid) - idle) / (budgetMiB * MIB);
  let first = 0;
  try {
    for (const { name, times, meanBytes, valueBytes } of phases) {
      const entries = Math.ceil((times * budgetMiB * MIB) / (meanBytes + KEY_AND_RECORD_BYTES));
      let mostPart = 0;
      const sampling = setInterval(() => {
        mostPart = Math.max(mostPart, part());
      }, SAMPLE_MS);
      const perSecond = await fill(server.port, { first, entries, valueBytes });
      clearInterval(sampling);
      first += entries;
      const what = `budget ${budgetMiB} MiB, ${name}`;
      rows.push({
        what,
        server: server.name,
        budgetMiB,
        idleMiB: idle / MIB,
        mostPart,
        endPart: part(),
        perSecond,
      });
    }
  } finally {
    await server.stop();
  }
  return rows;
}
