import type { RespWriter } from './writer.ts';

/** One argument of a command to encode; strings go out as UTF-8, numbers in decimal. */
export type CommandPart = string | Buffer | number | bigint;

const CRLF = '\r\n';

/** A command as it goes over the wire, in a buffer of its own. For tests and rare paths: forwarding copies frames instead. */
export function encodeCommand(...parts: CommandPart[]): Buffer {
  const chunks: Buffer[] = [Buffer.from(`*${parts.length}${CRLF}`)];
  for (const part of parts) {
    const bytes = Buffer.isBuffer(part) ? part : Buffer.from(String(part));
    chunks.push(Buffer.from(`$${bytes.length}${CRLF}`), bytes, Buffer.from(CRLF));
  }
  return Buffer.concat(chunks);
}

/** Writes a command behind what `writer` holds. */
export function writeCommand(writer: RespWriter, parts: readonly CommandPart[]): void {
  writer.arrayHeader(parts.length);
  for (const part of parts) writer.bulk(Buffer.isBuffer(part) ? part : Buffer.from(String(part)));
}
