/** What replies are written to; the RESP writer is one. */
export interface ReplySink {
  simple(text: string): void;
  error(text: string): void;
  integer(value: number): void;
  bulk(bytes: Buffer): void;
  bulkLatin1(text: string): void;
  nullBulk(): void;
  arrayHeader(count: number): void;
  mapHeader(pairs: number): void;
  setHeader(count: number): void;
}

/** A sink for all that commands about a server answer. */
export interface WideReplySink extends ReplySink {
  ok(): void;
  double(value: number): void;
  bulkUtf8(text: string): void;
  verbatim(format: string, text: string): void;
}
