import { spawnSync } from 'node:child_process';
import { cpSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { infoField } from './data-set.ts';
import { folder, nodeWith } from './folder.ts';
import { contentOf } from './redis-content.ts';
import { hasRedisServer, type RedisServer, startRedis } from './redis-server.ts';
import { RespClient } from './resp-client.ts';
import type { Ringside } from './ringside.ts';
import { until } from './until.ts';

/* Append-only files of several parts, as redis-server and the node write them, and who loads them. */

/** Folder of the parts in a server's own. */
export const AOF_FOLDER = 'appendonlydir';
/** What the names of the parts begin with. */
export const AOF_NAME = 'appendonly.aof';
/** Flags of both servers. */
export const APPENDING = ['--appendonly', 'yes'];

/** Whether redis-server is there, and what checks its files. */
export const hasRedisTools =
  hasRedisServer && spawnSync('redis-check-aof', ['--version']).error === undefined;

export const partPath = (dir: string, name: string): string => join(dir, AOF_FOLDER, name);
export const manifestOf = (dir: string): string => partPath(dir, `${AOF_NAME}.manifest`);
export const incrOf = (dir: string, seq: number): string => partPath(dir, `${AOF_NAME}.${seq}.incr.aof`);
/** Names of all files beside one another. */
export const partNames = (dir: string): string[] => readdirSync(join(dir, AOF_FOLDER));

/** What redis-check-aof says against all parts; `valid` when it says nothing. */
export function checkAof(dir: string): string {
  const { status, stdout } = spawnSync('redis-check-aof', [manifestOf(dir)], { encoding: 'utf8' });
  return status === 0 ? 'valid' : stdout;
}

/** Another folder with the same in it. */
export function copyOf(t: Test, dir: string): string {
  const copy = folder(t, 'aof');
  cpSync(dir, copy, { recursive: true });
  return copy;
}

/** A redis-server that appends to the files in `dir`, once it has loaded them; for as long as the test runs. */
export async function redisAt(t: Test, dir: string, ...args: string[]): Promise<[RedisServer, RespClient]> {
  // Under `everysec` it puts a write off while a sync takes its time, and replies: `stop` would lose what was acknowledged.
  const server = await startRedis(['--dir', dir, ...APPENDING, '--appendfsync', 'no', ...args]);
  t.teardown(() => server.stop());
  const client = new RespClient(server.address);
  t.teardown(() => client.close());
  await until('redis-server has loaded', async () => (await client.text('PING')) === 'PONG');
  return [server, client];
}

/** The same of a node. */
export const nodeAt = (t: Test, dir: string, ...args: string[]): Promise<[Ringside, RespClient]> =>
  nodeWith(t, dir, ...APPENDING, ...args);

/** What a real redis-server makes of the files, from a copy of them. */
export async function loadedByRedis(t: Test, dir: string): Promise<Map<string, string>> {
  const [server, client] = await redisAt(t, copyOf(t, dir));
  try {
    return await contentOf(client);
  } finally {
    await server.stop();
  }
}

/** What a node makes of them, which goes on in the same files. */
export async function loadedByNode(t: Test, dir: string): Promise<Map<string, string>> {
  const [node, client] = await nodeAt(t, dir);
  try {
    return await contentOf(client);
  } finally {
    await node.stop();
  }
}

/** The keys that are not the same in what `contentOf` gave. */
export function differences(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): string[] {
  return [...new Set([...a.keys(), ...b.keys()])]
    .filter((key) => a.get(key) !== b.get(key))
    .map((key) => `${key}: ${a.get(key)} / ${b.get(key)}`);
}

/** Resolves once all that a node has to append is in its file. */
export const written = (client: RespClient) =>
  until('all is written', async () => (await infoField(client, 'aof_buffer_length')) === '0');

/** Resolves once no rewrite is under way. */
export const rewritten = (client: RespClient) =>
  until('the rewrite is done', async () => (await infoField(client, 'aof_rewrite_in_progress')) === '0');

/** Begins a rewrite, and resolves when it is done. */
export async function rewrite(client: RespClient): Promise<void> {
  await client.text('BGREWRITEAOF');
  await rewritten(client);
}
