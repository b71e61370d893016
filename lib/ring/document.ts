import { createHash } from 'node:crypto';
import { RingsideError } from '../base/index.ts';
import { checkDocument } from './document-check.ts';

/** A shard of the fleet: member of the ring, and who serves it. */
export interface DocumentShard {
  readonly name: string;
  readonly weight: number;
  /** Shard epoch, a whole number below 2^20 as decimal text; grows when leader or key range change. */
  readonly epoch: string;
  /** Node id; null while nobody may take writes. */
  readonly leader: string | null;
  /** Node ids of the live, synced followers: those that may renew the leader's lease and be promoted. */
  readonly followers: readonly string[];
}

/** A registered node of some shard, listed as leader or follower there or still joining. */
export interface DocumentNode {
  readonly id: string;
  /** Of the process: new at each start. A leader that restarted is not the leader the document means. */
  readonly runId: string;
  /** Name of its shard. */
  readonly shard: string;
  /** `host:port` of its RESP port. */
  readonly address: string;
  /** `host:port` of its admin port; empty when it has none. */
  readonly admin: string;
}

/**
 * The ring document: what the control plane decides and pushes to everybody. Its version is (incarnation, epoch), its
 * identity sha256 with it. Fields that this release does not know are kept and count for the sha256.
 */
export interface RingDocument {
  /** Grows when a control plane starts anew without the state of the one before; u64 as decimal text. */
  readonly incarnation: string;
  /** Grows with every change; u64 as decimal text. */
  readonly epoch: string;
  /** Lower-case hex SHA-256 of the canonical JSON (keys sorted, no spaces) of everything else. */
  readonly sha256: string;
  /** Virtual nodes per unit of weight. */
  readonly virtualNodes: number;
  /** How long a leader may acknowledge after a renewal. */
  readonly leaseMs: number;
  readonly shards: readonly DocumentShard[];
  readonly nodes: readonly DocumentNode[];
}

/** The document with its sha256, frozen. Throws RingsideError `config_invalid` when it does not hold together. */
export function sealDocument(content: Omit<RingDocument, 'sha256'>): RingDocument {
  const plain: unknown = JSON.parse(JSON.stringify(content));
  const document = { ...(plain as Omit<RingDocument, 'sha256'>), sha256: hashOf(plain as object) };
  checkDocument(document);
  return freeze(document);
}

/**
 * Reads a document, frozen. Throws RingsideError `config_invalid` when the text is not JSON, a field is missing or of the
 * wrong kind, the sha256 does not match, or a name refers to nothing.
 */
export function parseDocument(text: string): RingDocument {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new RingsideError('config_invalid', 'the ring document is not JSON', { cause });
  }
  checkDocument(value);
  const actual = hashOf(value);
  if (actual !== value.sha256) {
    throw new RingsideError(
      'config_invalid',
      `the ring document was altered: its sha256 is ${actual}, not ${value.sha256}`,
    );
  }
  return freeze(value);
}

/** Order of two documents by incarnation, then epoch: -1 when `a` is older, 1 when it is newer. */
export function compareVersions(
  a: Pick<RingDocument, 'incarnation' | 'epoch'>,
  b: Pick<RingDocument, 'incarnation' | 'epoch'>,
): -1 | 0 | 1 {
  return compareU64(a.incarnation, b.incarnation) || compareU64(a.epoch, b.epoch);
}

/** What to do with a document that is offered to somebody who holds `held`. */
export type Judgement = 'newer' | 'same' | 'older' | 'conflict';

/** Apply only what is `newer`; `conflict` is a second content for the version held, and must be refused. */
export function judgeDocument(held: RingDocument | null, offered: RingDocument): Judgement {
  if (held === null) return 'newer';
  const order = compareVersions(offered, held);
  if (order !== 0) return order > 0 ? 'newer' : 'older';
  return offered.sha256 === held.sha256 ? 'same' : 'conflict';
}

function compareU64(a: string, b: string): -1 | 0 | 1 {
  if (a === b) return 0;
  return BigInt(a) < BigInt(b) ? -1 : 1;
}

function hashOf(document: object): string {
  const { sha256: _, ...content } = document as { sha256?: unknown };
  return createHash('sha256').update(canonicalJson(content)).digest('hex');
}

/** JSON without spaces and with the keys of every object in ascending order (by UTF-16 code units). */
function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const members = Object.entries(value)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, held]) => `${JSON.stringify(key)}:${canonicalJson(held)}`);
  return `{${members.join(',')}}`;
}

function freeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    Object.freeze(value);
    for (const held of Object.values(value)) freeze(held);
  }
  return value;
}
