import { hash as digestOf } from 'node:crypto';
import type { RespClient } from './resp-client.ts';

const reads: Readonly<Record<string, (key: Buffer) => (string | Buffer)[]>> = {
  string: (key) => ['GET', key],
  list: (key) => ['LRANGE', key, '0', '-1'],
  set: (key) => ['SMEMBERS', key],
  hash: (key) => ['HGETALL', key],
  zset: (key) => ['ZRANGE', key, '0', '-1', 'WITHSCORES'],
};

async function factsOf(client: RespClient, key: Buffer): Promise<string> {
  const type = (await client.text('TYPE', key))!;
  if (type === 'none') return type;
  const [expiry, value] = await Promise.all([
    client.send('PEXPIRETIME', key),
    client.send(...reads[type](key)),
  ]);
  return `${type} until ${expiry} ${digestOf('sha1', partsOf(type, value).join())}`;
}

/** The parts of a value, in an order that both agree on. */
function partsOf(type: string, value: unknown): string[] {
  if (!Array.isArray(value)) return [String(Buffer.isBuffer(value) ? value.toString('hex') : value)];
  const parts = value.map((part: Buffer) => part.toString('hex'));
  if (type === 'set') return parts.sort();
  if (type !== 'hash') return parts;
  return parts.flatMap((part, i) => (i % 2 === 0 ? [`${part}=${parts[i + 1]}`] : [])).sort();
}

/** Database and key of everything in the first databases, to its type, expiry and a digest of its value. */
export async function contentOf(client: RespClient, databases = 16): Promise<Map<string, string>> {
  const content = new Map<string, string>();
  for (let database = 0; database < databases; database++) {
    await client.text('SELECT', database);
    const keys = (await client.send('KEYS', '*')) as Buffer[];
    const facts = await Promise.all(keys.map((key) => factsOf(client, key)));
    for (const [i, text] of facts.entries()) content.set(`${database}:${keys[i].toString('hex')}`, text);
  }
  await client.text('SELECT', 0);
  return content;
}
