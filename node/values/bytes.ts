/** Gets a byte range, valid during the call. */
export type VisitBytes = (buffer: Buffer, start: number, end: number) => void;

/** Where a value found its answer: valid until any entry changes. */
export class Found {
  buffer: Buffer = Buffer.alloc(0);
  start = 0;
  end = 0;

  set(buffer: Buffer, start: number, end: number): void {
    this.buffer = buffer;
    this.start = start;
    this.end = end;
  }
}

/** What chooses among members. */
export interface Dice {
  /** A whole number from 0 to below `n`. */
  int(n: number): number;
}
