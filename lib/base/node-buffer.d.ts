// Fast paths of Buffer that Node documents nowhere but has had since its beginnings; @types/node leaves them out.
// `toString('latin1', start, end)` ends in them after looking up the encoding's name.
interface Buffer {
  latin1Slice(start?: number, end?: number): string;
  utf8Slice(start?: number, end?: number): string;
  /** Returns the number of bytes written. */
  latin1Write(text: string, offset?: number, length?: number): number;
  /** Returns the number of bytes written. */
  utf8Write(text: string, offset?: number, length?: number): number;
}
