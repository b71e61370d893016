import { replyLineEnd } from '../../lib/codec/resp/index.ts';
import type { Request } from '../core/request.ts';
import type { OldValue } from './old-value.ts';
import { elementsOf, type ReadCommand } from './read-command.ts';

/** Of RS.MCMETA: there is a value. */
const HAS_VALUE = 1;
const NOTHING: readonly Buffer[] = [];

/** Answers a read of one string with a value of the old cluster. Whoever reads the reply finds all but a long value in its first piece. */
export function answerOne(request: Request, { name, isHead }: ReadCommand, old: OldValue): void {
  const { head, rest, restBytes } = old;
  const none = request.protocol === 2 ? '$-1\r\n' : '_\r\n';
  const text = singleHead(name, old, none);
  if (isHead) {
    request.answerWith(textOf(text + none));
    return;
  }
  const first = text === '' ? head : Buffer.concat([Buffer.from(text, 'latin1'), head]);
  request.answerInPieces(first, 0, first.length, rest, restBytes);
}

/**
 * Answers a read of several strings by its name: the reply `bytes[start, end)` of the new cluster, with values of the old one at the places in `found`.
 */
export function answerSeveral(
  request: Request,
  name: string,
  { bytes, start, end }: { readonly bytes: Buffer; readonly start: number; readonly end: number },
  found: ReadonlyMap<number, OldValue>,
): void {
  const starts = elementsOf(bytes, start);
  const pieces = [bytes.subarray(start, replyLineEnd(bytes, start))];
  for (const [place, at] of starts.entries()) {
    const old = found.get(place);
    if (old === undefined) pieces.push(bytes.subarray(at, starts[place + 1] ?? end));
    else
      pieces.push(
        textOf(elementHead(name, old)),
        old.head,
        ...(old.rest ?? NOTHING),
        textOf(elementTail(name, old)),
      );
  }
  request.answerWith(Buffer.concat(pieces));
}

/** What comes before the value. */
function singleHead(name: string, old: OldValue, none: string): string {
  const { flags, ttlMs, softTtlMs, bytes } = old;
  switch (name) {
    case 'RS.MCMETA':
      return `*7\r\n${versionText(old)}:${flags}\r\n:${ttlMs}\r\n:${HAS_VALUE}\r\n:${bytes}\r\n:0\r\n`;
    case 'RS.GET':
      return `*8\r\n${versionText(old)}:${flags}\r\n:${ttlMs}\r\n:${softTtlMs}\r\n${stateText(old)}${none}:0\r\n`;
    default:
      return '';
  }
}

function elementHead(name: string, old: OldValue): string {
  switch (name) {
    case 'RS.MGET':
      return '*4\r\n';
    case 'RS.MCGET':
      return old.flags === 0 ? '' : `*2\r\n:${old.flags}\r\n`;
    case 'RS.MCGETS':
      return `*3\r\n${versionText(old)}:${old.flags}\r\n`;
    default:
      return '';
  }
}

function elementTail(name: string, old: OldValue): string {
  return name === 'RS.MGET' ? `${versionText(old)}:${old.ttlMs}\r\n${stateText(old)}` : '';
}

function stateText({ softTtlMs }: OldValue): string {
  return softTtlMs === 0 ? '$5\r\nstale\r\n' : '$3\r\nhit\r\n';
}

function versionText({ version }: OldValue): string {
  const text = String(version);
  return `$${text.length}\r\n${text}\r\n`;
}

function textOf(text: string): Buffer {
  return Buffer.from(text, 'latin1');
}
