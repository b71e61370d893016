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
  const tail = form === Form.RS_MGET ? tailOf(found) : '';
  const { bytes, start, end, rest, restBytes } = found;
  if (head === '' && !isLent) {
    request.answerInPieces(bytes, start, end, rest, restBytes);
  } else if (rest !== null) {
    const first = Buffer.concat([Buffer.from(head, 'latin1'), bytes.subarray(start, end)]);
    const pieces = tail === '' ? rest : [...rest, Buffer.from(tail, 'latin1')];
    request.answerInPieces(first, 0, first.length, pieces, restBytes + tail.length);
  } else {
    const from = slab.reserve(head.length + end - start + tail.length);
    const memory = slab.bytes;
    const at = head === '' ? from : from + memory.latin1Write(head, from);
    const to = copyRange(bytes, start, end, memory, at);
    request.answer(memory, from, tail === '' ? to : to + memory.latin1Write(tail, to));
  }
}

/** What was found, all of it at hand, as an element of the reply to a read of several keys of this form; in memory of its own. */
export function elementOf(form: Form, found: Found, protocol: 2 | 3): Buffer {
  if (found.kind === FoundKind.MISS) return Buffer.from(missingElement(form, protocol));
  const { bytes, start, end } = found;
  const value = bytes.subarray(start, end);
  const head = elementHeadOf(form, found);
  if (head === '') return Buffer.from(value);
  const tail = form === Form.RS_MGET ? tailOf(found) : '';
  return Buffer.concat([Buffer.from(head, 'latin1'), value, Buffer.from(tail, 'latin1')]);
}

function missOf(form: Form, protocol: 2 | 3): Buffer {
  const isSingle = form === Form.GET || form === Form.MCMETA;
  if (isSingle) return protocol === 2 ? NULL_2 : NULL_3;
  if (form === Form.RS_MGET) return Buffer.from(`*1\r\n${missingElement(form, protocol)}`);
  if (form !== Form.RS_GET) return protocol === 2 ? ARRAY_OF_NULL_2 : ARRAY_OF_NULL_3;
  const none = nullText(protocol);
  return Buffer.from(`*8\r\n$1\r\n0\r\n:0\r\n:-2\r\n:-2\r\n$4\r\nmiss\r\n${none}:0\r\n${none}`);
}

function missingElement(form: Form, protocol: 2 | 3): string {
  const none = nullText(protocol);
  return form === Form.RS_MGET ? `*4\r\n${none}$1\r\n0\r\n:-2\r\n$4\r\nmiss\r\n` : none;
}

function nullText(protocol: 2 | 3): string {
  return protocol === 2 ? '$-1\r\n' : '_\r\n';
}

/** What comes before the value. */
function headOf(form: Form, found: Found, protocol: 2 | 3): string {
  const { clientFlags: flags } = found;
  switch (form) {
    case Form.MCMETA:
      return `*7\r\n${bulk(found.version)}:${flags}\r\n:${found.ttlLeftMs}\r\n:${HAS_VALUE}\r\n:${found.valueBytes}\r\n:0\r\n`;
    case Form.RS_GET: {
      const state = found.isStale ? STALE : HIT;
      const times = `:${found.ttlLeftMs}\r\n:${found.softTtlLeftMs}\r\n`;
      return `*8\r\n${bulk(found.version)}:${flags}\r\n${times}${state}${nullText(protocol)}:0\r\n`;
    }
    default:
      return `*1\r\n${elementHeadOf(form, found)}`;
  }
}

/** What comes before the value in an element of a reply to a read of several keys. */
function elementHeadOf(form: Form, found: Found): string {
  const { clientFlags: flags } = found;
  switch (form) {
    case Form.MCGET:
      return flags === 0 ? '' : `*2\r\n:${flags}\r\n`;
    case Form.MCGETS:
      return `*3\r\n${bulk(found.version)}:${flags}\r\n`;
    case Form.RS_MGET:
      return '*4\r\n';
    default:
      return '';
  }
}

/** What comes behind the value in the answer to RS.MGET. */
function tailOf(found: Found): string {
  return `${bulk(found.version)}:${found.ttlLeftMs}\r\n${found.isStale ? STALE : HIT}`;
}

function bulk(version: bigint): string {
  const text = String(version);
  return `$${text.length}\r\n${text}\r\n`;
}
