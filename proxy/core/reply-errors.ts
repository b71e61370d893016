import { type ErrorCode, errorCatalogue, RingsideError } from '../../lib/base/index.ts';
import { errorText } from './frames.ts';

/** First words of error replies that stand for one code each. */
const BY_FIRST_WORD: Readonly<Record<string, ErrorCode>> = {
  UNKNOWN: 'write_unknown',
  NOREPLICAS: 'no_replicas',
  OVERLOADED: 'overloaded',
  CLUSTERDOWN: 'shard_down',
  FENCED: 'fenced',
  STALERING: 'stale_ring',
  READONLY: 'read_only',
  LOADING: 'loading',
  TIMEOUT: 'timeout',
  OOM: 'out_of_memory',
  WRONGTYPE: 'wrong_type',
  PRECONDITION: 'precondition_failed',
  LEASEVOID: 'lease_void',
  ORIGIN: 'origin_failed',
  KEYREUSED: 'idempotency_key_reused',
};

const NOT_AN_INTEGER =
  /^ERR (value is not an integer|increment or decrement would overflow|decrement would overflow)/;
const TOO_LARGE =
  /^ERR (string exceeds maximum|invalid bulk length|value is too large|a value of \d+ bytes is larger)/;

/** The error that an error reply of a node, or of the router, stands for. */
export function errorOfReply(reply: Buffer, start: number, end: number): RingsideError {
  const text = errorText(reply, start, end);
  const code = codeOf(text);
  // What stands before the message in the catalogue's text is not repeated; a fixed text has its first word before it.
  const [prefix, rest] = errorCatalogue[code].resp.split('…');
  if (rest === undefined) return new RingsideError(code, text.slice(text.indexOf(' ') + 1));
  return new RingsideError(code, text.startsWith(prefix) ? text.slice(prefix.length) : text);
}

function codeOf(text: string): ErrorCode {
  const known = BY_FIRST_WORD[text.split(' ', 1)[0]];
  if (known !== undefined) return known;
  if (NOT_AN_INTEGER.test(text)) return 'not_an_integer';
  return TOO_LARGE.test(text) ? 'too_large' : 'internal';
}
