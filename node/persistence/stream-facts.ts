import type { RdbFileWriter } from '../../lib/codec/rdb/index.ts';
import { RdbFormatError } from '../../lib/codec/rdb/index.ts';
import type { ReplicationLog } from '../replication/replication-log.ts';

/*
 * Where in its replication stream a data set is. Redis's fields say which stream, how far, and the database that it is in; a redis-server that
 * loads the file goes by them too. Fields of this node's own say what the stream leaves unsaid from there on.
 */

const REPL_ID_FIELD = 'repl-id';
const OFFSET_FIELD = 'repl-offset';
const DATABASE_FIELD = 'repl-stream-db';
/** Only of a stream that says versions: that of the last command, 16 hexadecimal digits; empty when the next command says it. */
const POSITION_FIELD = 'ringside-position';
/** Shard epoch of the leader that the data set was last level with. */
const EPOCH_FIELD = 'ringside-epoch';

const POSITION = /^([0-9a-f]{8})([0-9a-f]{8})$/;
const NUMBER = /^\d{1,15}$/;

/** What a file says of the stream that its data set is at. */
export interface StreamFacts {
  readonly replId: string;
  readonly offset: number;
  readonly database: number;
  /** Version of the last command: null when the next one says it. */
  readonly version: { readonly high: number; readonly low: number } | null;
  /** Whether the stream says versions: it is that of a node, and nodes follow it. */
  readonly saysVersions: boolean;
}

/** Writes the fields. A stream that nobody follows has no offsets to speak of, and says nothing. */
export function writeStreamFacts(file: RdbFileWriter, log: ReplicationLog): void {
  if (log.epoch > 0) file.aux(EPOCH_FIELD, String(log.epoch));
  if (!log.active) return;
  const { position } = log;
  file.aux(DATABASE_FIELD, String(Math.max(0, position.database)));
  file.aux(REPL_ID_FIELD, log.replId);
  file.aux(OFFSET_FIELD, String(log.end));
  if (position.saysVersions) file.aux(POSITION_FIELD, position.isVersionKnown ? wordsOf(position) : '');
}

/** Whether a file with these fields says where in a stream it is: others may go on from there with whoever loads it. */
export function hasStream(fields: ReadonlyMap<string, string>): boolean {
  return fields.has(REPL_ID_FIELD) && NUMBER.test(fields.get(OFFSET_FIELD) ?? '');
}

/** What the fields say; null when they name no stream. Throws RdbFormatError for nonsense. */
export function readStreamFacts(fields: ReadonlyMap<string, string>): StreamFacts | null {
  if (!hasStream(fields)) return null;
  const position = fields.get(POSITION_FIELD);
  const [, high, low] = POSITION.exec(position ?? '') ?? [];
  if (high === undefined && position) throw new RdbFormatError(`the field ${POSITION_FIELD} is malformed`);
  return {
    replId: fields.get(REPL_ID_FIELD)!,
    offset: Number(fields.get(OFFSET_FIELD)),
    database: Number(fields.get(DATABASE_FIELD) ?? 0),
    version: high === undefined ? null : { high: Number.parseInt(high, 16), low: Number.parseInt(low, 16) },
    saysVersions: position !== undefined,
  };
}

/** The epoch that the fields say; 0 without. */
export function epochOf(fields: ReadonlyMap<string, string>): number {
  const text = fields.get(EPOCH_FIELD) ?? '0';
  if (!NUMBER.test(text)) throw new RdbFormatError(`the field ${EPOCH_FIELD} is malformed`);
  return Number(text);
}

/**
 * The node goes on in the stream of the data set it has loaded, as if it had never ended: bytes of the stream that come behind, of a file or of
 * a leader, are appended to `log`. Whether it leads or follows there, its owner says later.
 */
export function resumeStream(log: ReplicationLog, facts: StreamFacts): void {
  log.restart(facts.replId, facts.offset);
  const { position } = log;
  position.database = facts.database;
  position.saysVersions = facts.saysVersions;
  if (facts.version !== null) position.moveTo(facts.version.high, facts.version.low);
}

function wordsOf({ high, low }: { readonly high: number; readonly low: number }): string {
  return high.toString(16).padStart(8, '0') + low.toString(16).padStart(8, '0');
}
