import { type RespValue, RespVerbatim } from '../../lib/codec/resp/index.ts';
import type { RespClient } from './resp-client.ts';

/** A reply with texts in the place of bytes. */
export type Said = string | number | bigint | boolean | null | Error | Said[];

/** Sends a command; the reply with its bytes as texts, maps and sets as lists. */
export async function say(client: RespClient, ...parts: (string | Buffer | number)[]): Promise<Said> {
  return textsIn(await client.send(...parts));
}

function textsIn(reply: RespValue): Said {
  if (Buffer.isBuffer(reply)) return reply.toString();
  if (reply instanceof RespVerbatim) return reply.text;
  if (reply instanceof Map) return [...reply].flat().map((one) => textsIn(one as RespValue));
  if (reply instanceof Set) return Array.from(reply, (one) => textsIn(one as RespValue));
  if (Array.isArray(reply)) return reply.map(textsIn);
  return reply as Said;
}
