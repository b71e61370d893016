import { GET, MGET, type Operation, SET } from '../operation.ts';
import { SocketLane } from './socket-lane.ts';

const LINE_FEED = 0x0a;
const NOTHING = Buffer.alloc(0);

/** memcached's text protocol. */
export class MemcacheLane extends SocketLane {
  #rest: Buffer = NOTHING;
  /** Bytes of a value, and the line end behind it, still to come. */
  #skip = 0;
  #hits = 0;

  protected override async greet(): Promise<void> {}

  protected override reset(): void {
    this.#rest = NOTHING;
    this.#skip = 0;
    this.#hits = 0;
  }

  protected override write({ kind, key, keys, valueBytes }: Operation): void {
    if (kind === GET) this.append(`get ${key}\r\n`);
    else if (kind === MGET) this.append(`get ${keys!.join(' ')}\r\n`);
    else {
      this.append(`set ${key} 0 0 ${valueBytes}\r\n`);
      this.appendValue(valueBytes);
      this.append('\r\n');
    }
  }

  protected override receive(chunk: Buffer): void {
    const bytes = this.#rest.length > 0 ? Buffer.concat([this.#rest, chunk]) : chunk;
    let at = 0;
    for (;;) {
      const skipped = Math.min(this.#skip, bytes.length - at);
      at += skipped;
      this.#skip -= skipped;
      const end = bytes.indexOf(LINE_FEED, at);
      if (this.#skip > 0 || end < 0) break;
      this.#line(bytes.latin1Slice(at, end - 1));
      at = end + 1;
    }
    this.#rest = bytes.subarray(at);
  }

  #line(line: string): void {
    if (line.startsWith('VALUE ')) {
      this.#hits++;
      this.#skip = Number(line.split(' ')[3]) + 2;
      return;
    }
    const operation = this.take();
    if (!operation) throw new Error('an answer came that nobody asked for');
    const expected = operation.kind === SET ? 'STORED' : 'END';
    // A key asked for twice comes once or twice, by the server's taste.
    const hits = Math.min(this.#hits, operation.keys?.length ?? 1);
    this.#hits = 0;
    if (line === expected) this.answered(operation, hits);
    else this.failed(operation, line);
  }
}
