import { RingsideError } from '../base/index.ts';
import type { RingDocument } from './document.ts';

const MAX_U64 = 2n ** 64n - 1n;
/** The shard epoch is the upper 20 bits of every version. */
const MAX_SHARD_EPOCH = 2n ** 20n - 1n;
const MAX_VIRTUAL_NODES = 4096;

type Fields = Record<string, unknown>;

/** Throws RingsideError `config_invalid`, naming the field, unless `value` is a ring document that holds together. */
export function checkDocument(value: unknown): asserts value is RingDocument {
  const document = object(value, 'the document');
  decimal(document, 'incarnation', MAX_U64);
  decimal(document, 'epoch', MAX_U64);
  text(document, 'sha256', /^[0-9a-f]{64}$/);
  number(document, 'virtualNodes', (n) => Number.isInteger(n) && n >= 1 && n <= MAX_VIRTUAL_NODES);
  number(document, 'leaseMs', (n) => n > 0);
  const shards = list(document, 'shards').map((shard, i) => object(shard, `shards.${i}`));
  const nodes = list(document, 'nodes').map((node, i) => object(node, `nodes.${i}`));
  if (shards.length === 0) fail('shards', 'is empty');
  for (const [i, shard] of shards.entries()) checkShard(shard, `shards.${i}.`);
  for (const [i, node] of nodes.entries()) {
    for (const key of ['id', 'runId', 'shard', 'address']) text(node, key, /./, `nodes.${i}.`);
    text(node, 'admin', /^/, `nodes.${i}.`);
  }
  checkReferences(shards, nodes);
}

function checkShard(shard: Fields, where: string): void {
  text(shard, 'name', /./, where);
  number(shard, 'weight', (n) => n > 0, where);
  decimal(shard, 'epoch', MAX_SHARD_EPOCH, where);
  if (shard.leader !== null) text(shard, 'leader', /./, where);
  for (const follower of list(shard, 'followers', where)) {
    if (typeof follower !== 'string') fail(`${where}followers`, 'must hold node ids');
  }
}

/** Names are unique, and each listed node is a registered node of that shard, listed once. */
function checkReferences(shards: Fields[], nodes: Fields[]): void {
  const shardNames = unique(shards, 'name', 'shards');
  unique(nodes, 'id', 'nodes');
  const shardOfNode = new Map(nodes.map((node) => [node.id, node.shard]));
  for (const { id, shard } of nodes) {
    if (!shardNames.has(shard))
      fail('nodes', `node ${id} belongs to shard ${shard}, which is not in the ring`);
  }
  for (const shard of shards) {
    const listed = [...(shard.followers as unknown[]), ...(shard.leader === null ? [] : [shard.leader])];
    if (new Set(listed).size < listed.length) fail('shards', `shard ${shard.name} lists a node twice`);
    for (const id of listed) {
      if (shardOfNode.get(id) !== shard.name)
        fail('shards', `shard ${shard.name} lists ${id}, which is not a node of it`);
    }
  }
}

function unique(items: Fields[], key: string, where: string): Set<unknown> {
  const seen = new Set<unknown>();
  for (const item of items) {
    if (seen.has(item[key])) fail(where, `${item[key]} comes up twice`);
    seen.add(item[key]);
  }
  return seen;
}

function object(value: unknown, where: string): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) fail(where, 'must be an object');
  return value as Fields;
}

function list(fields: Fields, key: string, where = ''): unknown[] {
  const value = fields[key];
  if (!Array.isArray(value)) fail(where + key, 'must be a list');
  return value;
}

function text(fields: Fields, key: string, pattern: RegExp, where = ''): void {
  const value = fields[key];
  if (typeof value !== 'string' || !pattern.test(value)) fail(where + key, 'must be text of the right form');
}

function number(fields: Fields, key: string, allowed: (value: number) => boolean, where = ''): void {
  const value = fields[key];
  if (typeof value !== 'number' || !Number.isFinite(value) || !allowed(value))
    fail(where + key, 'is not a number in range');
}

function decimal(fields: Fields, key: string, maximum: bigint, where = ''): void {
  text(fields, key, /^(0|[1-9][0-9]{0,19})$/, where);
  if (BigInt(fields[key] as string) > maximum) fail(where + key, `must be at most ${maximum}`);
}

function fail(where: string, problem: string): never {
  throw new RingsideError('config_invalid', `ring document: ${where} ${problem}`);
}
