import type { Request } from '../core/request.ts';
import { copyRange, Slab } from '../core/slab.ts';
import { type Found, FoundKind } from './found.ts';
import { Form } from './read-form.ts';

const NULL_2 = Buffer.from('$-1\r\n');
const NULL_3 = Buffer.from('_\r\n');
const ARRAY_OF_NULL_2 = Buffer.from('*1\r\n$-1\r\n');
const ARRAY_OF_NULL_3 = Buffer.from('*1\r\n_\r\n');
const HIT = '$3\r\nhit\r\n';
const STALE = '$5\r\nstale\r\n';
/** Of RS.MCMETA: there is a value. */
const HAS_VALUE = 1;

const slab = new Slab();

/** Whether the form can tell what was found: RS.MCMETA takes a lease on a stale value, which only the node can. */
export function canTell(form: Form, found: Found): boolean {
  return form !== Form.MCMETA || found.kind !== FoundKind.VALUE || !found.isStale;
}

/**
 * Answers a read of this form with what was found. `isLent`: the bytes are only good now, and are copied; else the answer refers to them.
 */
export function answerRead(request: Request, form: Form, found: Found, isLent: boolean): void {
  request.nearTtlMs = found.ttlLeftMs;
  if (isLent) request.nearAgeMs = found.ageMs;
  if (found.kind === FoundKind.MISS) {
    request.answerWith(missOf(form, request.protocol));
    return;
  }
  const head = form === Form.GET ? '' : headOf(form, found, request.protocol);
  const { bytes, start, end, rest, restBytes } = found;
  if (head === '' && !isLent) {
    request.answerInPieces(bytes, start, end, rest, restBytes);
  } else if (rest !== null) {
    const first = Buffer.concat([Buffer.from(head, 'latin1'), bytes.subarray(start, end)]);
    request.answerInPieces(first, 0, first.length, rest, restBytes);
  } else {
    const from = slab.reserve(head.length + end - start);
    const memory = slab.bytes;
    const at = head === '' ? from : from + memory.latin1Write(head, from);
    request.answer(memory, from, copyRange(bytes, start, end, memory, at));
  }
}

function missOf(form: Form, protocol: 2 | 3): Buffer {
  const isSingle = form === Form.GET || form === Form.MCMETA;
  if (isSingle) return protocol === 2 ? NULL_2 : NULL_3;
  if (form !== Form.RS_GET) return protocol === 2 ? ARRAY_OF_NULL_2 : ARRAY_OF_NULL_3;
  const none = nullText(protocol);
  return Buffer.from(`*8\r\n$1\r\n0\r\n:0\r\n:-2\r\n:-2\r\n$4\r\nmiss\r\n${none}:0\r\n${none}`);
}

function nullText(protocol: 2 | 3): string {
  return protocol === 2 ? '$-1\r\n' : '_\r\n';
}

/** What comes before the value. */
function headOf(form: Form, found: Found, protocol: 2 | 3): string {
  const { clientFlags: flags } = found;
  switch (form) {
    case Form.MCGET:
      return flags === 0 ? '*1\r\n' : `*1\r\n*2\r\n:${flags}\r\n`;
    case Form.MCGETS:
      return `*1\r\n*3\r\n${bulk(found.version)}:${flags}\r\n`;
    case Form.MCMETA:
      return `*7\r\n${bulk(found.version)}:${flags}\r\n:${found.ttlLeftMs}\r\n:${HAS_VALUE}\r\n:${found.valueBytes}\r\n:0\r\n`;
    case Form.RS_GET: {
      const state = found.isStale ? STALE : HIT;
      const times = `:${found.ttlLeftMs}\r\n:${found.softTtlLeftMs}\r\n`;
      return `*8\r\n${bulk(found.version)}:${flags}\r\n${times}${state}${nullText(protocol)}:0\r\n`;
    }
    default:
      return '*1\r\n';
  }
}

function bulk(version: bigint): string {
  const text = String(version);
  return `$${text.length}\r\n${text}\r\n`;
}
