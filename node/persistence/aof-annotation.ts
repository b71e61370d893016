import type { ReplicationLog } from '../replication/replication-log.ts';
import type { StreamFacts } from './stream-facts.ts';

/*
 * `#RS:offset <offset> <replication id> database=<n> [version=<16 hexadecimal digits, or nothing>] [epoch=<n>]` in an append-only file: behind this line
 * the bytes of that stream follow from this offset on, and nothing else but such lines. Redis reads over it.
 *
 * The database and the version are what the next command may leave unsaid. Without a version the stream has none. The epoch is that of the
 * shard's leader that the data set was level with; it stays until another is said.
 */

const ANNOTATION = /^#RS:offset (\d{1,15}) ([0-9a-f]{40})((?: [a-z]+=\S*)*)$/;
const FIELD = / ([a-z]+)=(\S*)/g;
const VERSION = /^(?:([0-9a-f]{8})([0-9a-f]{8}))?$/;

/** The line for a file that goes on where the stream ends now. */
export function annotationOf({ replId, end, position, epoch }: ReplicationLog): string {
  const version = position.isVersionKnown ? hexWord(position.high) + hexWord(position.low) : '';
  const said = position.saysVersions ? ` version=${version}` : '';
  const of = epoch > 0 ? ` epoch=${epoch}` : '';
  return `#RS:offset ${end} ${replId} database=${Math.max(0, position.database)}${said}${of}\r\n`;
}

/** What a line says. */
export interface Annotation extends StreamFacts {
  /** 0: it does not say. */
  readonly epoch: number;
}

/** What such a line says, without its end; null when it is another one, or makes no sense. */
export function readAnnotation(line: string): Annotation | null {
  const [, offset, replId, rest] = ANNOTATION.exec(line) ?? [];
  if (offset === undefined) return null;
  const fields = new Map([...rest.matchAll(FIELD)].map(([, name, value]) => [name, value]));
  const version = VERSION.exec(fields.get('version') ?? '');
  const database = Number(fields.get('database') ?? 0);
  const epoch = Number(fields.get('epoch') ?? 0);
  if (version === null || !isCount(database) || !isCount(epoch)) return null;
  const [, high, low] = version;
  return {
    replId,
    offset: Number(offset),
    database,
    version: high === undefined ? null : { high: Number.parseInt(high, 16), low: Number.parseInt(low, 16) },
    saysVersions: fields.has('version'),
    epoch,
  };
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

function hexWord(word: number): string {
  return word.toString(16).padStart(8, '0');
}
