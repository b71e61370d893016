import { argumentRange } from '../core/frames.ts';
import { Form, ReadForm } from '../near/index.ts';

const form = new ReadForm();

/**
 * Whether the read `bytes[start, end)` (encoded, whole) is answered alike by every node with the same data, and changes nothing: cursors of scans are good
 * at one node only, and what is asked with some of Ringside's own commands takes a lease.
 */
export function isRepeatable(bytes: Buffer, start: number, end: number): boolean {
  const range = argumentRange(bytes, start, 0);
  const name = bytes.latin1Slice(range.start, range.end).toUpperCase();
  if (name.startsWith('RS.')) return form.recognize(bytes, start, end) && form.form !== Form.MCMETA;
  return !name.endsWith('SCAN');
}
