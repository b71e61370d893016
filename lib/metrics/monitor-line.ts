import { type LoggedArgs, REDACTED } from './slow-log.ts';

const UNPRINTABLE = /[^ -~]/g;
const named: Readonly<Record<string, string>> = {
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\x07': '\\a',
  '\b': '\\b',
};

/** Bytes in quotes, those that cannot be printed escaped, as Redis shows them. */
export function quoted(bytes: Buffer): string {
  const text = bytes
    .latin1Slice()
    .replace(/["\\]/g, '\\$&')
    .replace(UNPRINTABLE, (byte) => named[byte] ?? `\\x${byte.charCodeAt(0).toString(16).padStart(2, '0')}`);
  return `"${text}"`;
}

/** The line by which MONITOR tells of a command; `atMs` is unix time in milliseconds. Of secrets only that they are there. */
export function monitorLine(
  client: { readonly database: number; readonly address: string },
  args: Pick<LoggedArgs, 'count' | 'bytes'>,
  isSecret: (i: number) => boolean,
  atMs: number,
): string {
  const seconds = Math.floor(atMs / 1000);
  const micros = String(Math.floor((atMs % 1000) * 1000)).padStart(6, '0');
  const words: string[] = [];
  for (let i = 0; i < args.count; i++) words.push(quoted(isSecret(i) ? REDACTED : args.bytes(i)));
  return `${seconds}.${micros} [${client.database} ${client.address}] ${words.join(' ')}`;
}
