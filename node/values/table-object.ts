import type { TwofoldForm } from './collection.ts';
import { MemberTable, type Payload } from './member-table.ts';

/** A hash or a set too large for the bytes of its entry. */
export class TableObject implements TwofoldForm {
  readonly table: MemberTable;
  isCompact: boolean;

  constructor(payload: Payload, seed: number, isCompact: boolean) {
    this.table = new MemberTable(payload, seed);
    this.isCompact = isCompact;
  }

  get bytes(): number {
    return this.table.reservedBytes;
  }

  get size(): number {
    return this.table.size;
  }

  /** Whether the key was there. */
  delete(buffer: Buffer, start: number, end: number): boolean {
    const { table } = this;
    const ref = table.find(buffer, start, end);
    if (ref === 0) return false;
    table.remove(ref);
    table.tidy();
    return true;
  }
}
