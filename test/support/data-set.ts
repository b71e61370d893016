import type { RespClient } from './resp-client.ts';
import { until } from './until.ts';

const DATABASES = 16;
/** Their elements come in any order, in DUMP too. */
const UNORDERED = new Set(['set', 'hash']);

type Part = string | Buffer;

async function entryOf(client: RespClient, key: Buffer): Promise<string | null> {
  const type = await client.text('TYPE', key);
  const isString = type === 'string';
  const [expiry, value, versioned] = await Promise.all([
    client.send('PEXPIRETIME', key),
    UNORDERED.has(type!) ? client.send('DEBUG', 'DIGEST-VALUE', key) : client.send('DUMP', key),
    isString ? client.send('RS.GET', key, 'NOVALUE') : null,
  ]);
  // Expired between two of these commands.
  if (type === 'none' || value === null) return null;
  const marks = isString ? ` v${(versioned as unknown[])[1]} flags ${(versioned as unknown[])[2]}` : '';
  const text = Buffer.isBuffer(value) ? value.toString('hex') : String(value);
  return `${type} until ${expiry}${marks} ${text}`;
}

/** Everything in all databases of a node that allows DEBUG (which is left at the first): `database:key in hexadecimal` to its type, expiry, value and, of strings, version. */
export async function dataSetOf(client: RespClient): Promise<Map<string, string>> {
  const data = new Map<string, string>();
  for (let database = 0; database < DATABASES; database++) {
    await client.text('SELECT', database);
    const keys = (await client.send('KEYS', '*')) as Buffer[];
    const entries = await Promise.all(keys.map((key) => entryOf(client, key)));
    for (const [i, entry] of entries.entries()) {
      if (entry !== null) data.set(`${database}:${keys[i].toString('hex')}`, entry);
    }
  }
  await client.text('SELECT', 0);
  return data;
}

export async function infoField(client: RespClient, field: string): Promise<string | undefined> {
  return new RegExp(`^${field}:(.*?)\r?$`, 'm').exec((await client.text('INFO', 'everything'))!)?.[1];
}

/** Resolves once the follower's link is up and both stand at the same offset. */
export async function level(leader: RespClient, follower: RespClient): Promise<void> {
  await until('leader and follower stand at the same offset', async () => {
    const [a, b] = await Promise.all([leader, follower].map((one) => infoField(one, 'master_repl_offset')));
    return a === b && (await infoField(follower, 'master_link_status')) === 'up';
  });
}

/** How the data of two level nodes differ, a few lines of it at most; empty when they agree, and then with the same digest. */
export async function differences(leader: RespClient, follower: RespClient): Promise<string[]> {
  await level(leader, follower);
  const [ours, theirs] = await Promise.all([dataSetOf(leader), dataSetOf(follower)]);
  const keys = new Set([...ours.keys(), ...theirs.keys()]);
  const lines = [...keys]
    .filter((key) => ours.get(key) !== theirs.get(key))
    .map((key) => `${key}\n  leader:   ${ours.get(key)}\n  follower: ${theirs.get(key)}`.slice(0, 1000));
  const digest: Part[] = ['DEBUG', 'DIGEST'];
  const [a, b] = await Promise.all([leader, follower].map((one) => one.text(...digest)));
  if (a !== b) lines.push(`DEBUG DIGEST: leader ${a}, follower ${b}`);
  return lines.slice(0, 5);
}

/** Resolves when both have the same, and with how they differ when they go on differing: something may just expire. */
export async function lastingDifferences(leader: RespClient, follower: RespClient): Promise<string[]> {
  const TRIES = 4;
  let found: string[] = [];
  for (let i = 0; i < TRIES; i++) {
    found = await differences(leader, follower);
    if (found.length === 0) break;
  }
  return found;
}
