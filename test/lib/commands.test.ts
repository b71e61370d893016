import { readFileSync } from 'node:fs';
import t from 'tap';
import { argsOf, decodeReply, RespError, type RespValue, RespWriter } from '../../lib/codec/resp/index.ts';
import {
  arityFits,
  type CommandSpec,
  commandIdCount,
  commandReply,
  commands,
  commandTable,
  helpReply,
  lastKeyIndex,
  lookupCommand,
  lookupSubcommand,
  unknownCommandText,
  unknownSubcommandText,
  wrongArityText,
} from '../../lib/commands/index.ts';
import { parseSyntax } from '../../lib/commands/syntax.ts';
import { fc } from '../support/fast-check.ts';

/** `COMMAND INFO` of redis-server 7.0.15 for the names in the table. */
const redis: Record<
  string,
  { arity: number; flags: string[]; keys: number[]; acl: string[]; tips: string[]; keyFlags: string[] }
> = JSON.parse(readFileSync(new URL('vectors/redis-7.0.15-commands.json', import.meta.url), 'utf8'));

/** The key specifications of all its commands, without its notes. */
const redisKeySpecs: Record<string, unknown[]> = JSON.parse(
  readFileSync(new URL('vectors/redis-7.0.15-key-specs.json', import.meta.url), 'utf8'),
);

const everySpec: CommandSpec[] = commands.flatMap((spec) => [spec, ...spec.subcommands]);
const look = (name: string) => lookupCommand(Buffer.from(name, 'latin1'), 0, name.length);

function plain(value: RespValue): unknown {
  if (Buffer.isBuffer(value)) return value.latin1Slice();
  if (Array.isArray(value)) return value.map(plain);
  if (value instanceof Set) return new Set([...value].map(plain));
  if (value instanceof Map) return Object.fromEntries([...value].map(([key, one]) => [key, plain(one)]));
  return value instanceof RespError ? `-${value.message}` : value;
}

function command(line: string, supports?: (spec: CommandSpec) => boolean, protocol: 2 | 3 = 3): unknown {
  const writer = new RespWriter();
  writer.protocol = protocol;
  commandReply(argsOf(...line.split(' ')), writer, supports);
  return plain(decodeReply(writer.take()));
}

function infoOf(name: string): unknown[] {
  return (command(`COMMAND INFO ${name}`) as unknown[][])[0];
}

t.test('the table', async (t) => {
  t.test('says what Redis 7.0 says', async (t) => {
    for (const spec of everySpec) {
      const theirs = redis[spec.name];
      if (theirs === undefined) {
        t.match(spec.name, /^rs\.|^client\|(setinfo|no-touch)$/, `${spec.name} is not of Redis 7.0`);
        continue;
      }
      const ours = {
        arity: spec.arity,
        flags: [...spec.flags],
        keys: [spec.firstKey, spec.lastKey, spec.keyStep],
        acl: [...spec.aclCategories].sort(),
        tips: [...spec.tips],
        keyFlags: [...spec.keyFlags],
      };
      // Redis forgot to put CLIENT itself among the commands about connections.
      const acl = spec.name === 'client' ? ['@connection', ...theirs.acl] : theirs.acl;
      t.strictSame(ours, { ...theirs, acl: [...acl].sort() }, spec.name);
    }
  });

  t.test('finds keys where Redis 7.0 does', async (t) => {
    for (const spec of everySpec.filter(({ name }) => name in redis)) {
      const ours = infoOf(spec.name)[8] as { flags: Set<string> }[];
      const sorted = [...ours].map((one) => ({ ...one, flags: [...one.flags].sort() }));
      t.strictSame(sorted, redisKeySpecs[spec.name] ?? [], spec.name);
    }
  });

  t.test('ids are dense, names unique, rows complete and frozen', async (t) => {
    t.strictSame(
      everySpec.map((spec) => spec.id).sort((a, b) => a - b),
      Array.from({ length: commandIdCount }, (_, i) => i),
    );
    t.strictSame(
      commands.map((spec) => spec.id),
      commands.map((_, i) => i),
    );
    t.equal(new Set(everySpec.map((spec) => spec.name)).size, everySpec.length);
    t.equal(commandTable.size, commands.length);
    for (const spec of everySpec) {
      t.match(spec.summary, /^[A-Z].*\.$/, spec.name);
      t.ok(spec.since && spec.complexity && Object.isFrozen(spec), spec.name);
      const hasKeys = spec.keySpecs.some(({ flags }) => !flags.includes('not_key'));
      // On a node alone, or answered by the proxy, or of a transaction or a wait: with keys or without.
      if (!['node', 'local', 'pinned'].includes(spec.routing)) {
        t.equal(
          hasKeys,
          ['key', 'multi', 'pairs', 'gather'].includes(spec.routing),
          `${spec.name}: keys and routing agree`,
        );
      }
      t.notOk(spec.isWrite && spec.isReadonly, spec.name);
      t.doesNotThrow(() => parseSyntax(spec.syntax), spec.name);
    }
  });
});

t.test('lookup', async (t) => {
  t.test('finds every name in any case', async (t) => {
    for (const spec of commands) {
      t.equal(look(spec.name), spec);
      t.equal(look(spec.word), spec);
      t.equal(look(spec.name.replace(/[a-z]/, (c) => c.toUpperCase())), spec);
    }
    const buffer = Buffer.from('...Get...');
    t.equal(lookupCommand(buffer, 3, 6)?.name, 'get');
  });

  t.test('finds nothing else', async (t) => {
    for (const name of ['', 'g', 'ge', 'gett', 'get\0', 'rs\x0eset', 'SE\x14', 'x'.repeat(1000), 'ÿÿÿ'])
      t.equal(look(name), undefined);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 16 }), (bytes) => {
        const name = Buffer.from(bytes).latin1Slice();
        return look(name) === commandTable.get(name.replace(/[a-z]/g, (c) => c.toUpperCase()));
      }),
      { numRuns: 500 },
    );
  });

  t.test('subcommands', async (t) => {
    const client = commandTable.get('CLIENT')!;
    const sub = (name: string) =>
      lookupSubcommand(client, Buffer.from(`..${name}`), 2, 2 + name.length)?.name;
    t.equal(sub('SetName'), 'client|setname');
    t.equal(sub('nope'), undefined);
    t.equal(sub(''), undefined);
  });
});

t.test('arity and keys', async (t) => {
  const [get, mset, ping] = ['GET', 'MSET', 'PING'].map((name) => commandTable.get(name)!);
  t.strictSame(
    [1, 2, 3].map((count) => arityFits(get, count)),
    [false, true, false],
  );
  t.strictSame(
    [2, 3, 4, 5].map((count) => arityFits(mset, count)),
    [false, true, true, true],
  );
  t.equal(lastKeyIndex(get, 2), 1);
  t.equal(lastKeyIndex(mset, 5), 4);
  t.equal(lastKeyIndex(ping, 1), -1);
});

t.test("Redis's error texts", async (t) => {
  const [get, client] = [commandTable.get('GET')!, commandTable.get('CLIENT')!];
  t.equal(wrongArityText(get), "ERR wrong number of arguments for 'get' command");
  t.equal(wrongArityText(client.subcommands[0]), "ERR wrong number of arguments for 'client|id' command");
  t.equal(unknownCommandText(argsOf('foo')), "ERR unknown command 'foo', with args beginning with: ");
  t.equal(
    unknownCommandText(argsOf('foo', 'bar', 'é')),
    "ERR unknown command 'foo', with args beginning with: 'bar' 'é' ",
  );
  t.ok(
    unknownCommandText(argsOf('f'.repeat(1000), ...Array<string>(100).fill('x'.repeat(1000)))).length < 400,
  );
  t.equal(
    unknownSubcommandText(client, argsOf('client', 'Foo')),
    "ERR unknown subcommand 'Foo'. Try CLIENT HELP.",
  );
});

t.test('COMMAND', async (t) => {
  t.test('INFO', async (t) => {
    t.strictSame(command('COMMAND INFO get nosuch'), [
      [
        'get',
        2,
        new Set(['readonly', 'fast']),
        1,
        1,
        1,
        new Set(['@read', '@string', '@fast']),
        new Set(),
        new Set([
          {
            flags: new Set(['RO', 'access']),
            begin_search: { type: 'index', spec: { index: 1 } },
            find_keys: { type: 'range', spec: { lastkey: 0, keystep: 1, limit: 0 } },
          },
        ]),
        new Set(),
      ],
      null,
    ]);
    const [mset, container] = command('command info mset config') as unknown[][];
    t.match(mset.slice(0, 6), ['mset', -3, new Set(['write', 'denyoom']), 1, -1, 2]);
    t.strictSame(
      (container[9] as unknown[][]).map((sub) => sub[0]),
      commandTable.get('CONFIG')!.subcommands.map((s) => s.name),
    );
    t.equal((command('COMMAND INFO config|get') as unknown[][])[0][0], 'config|get');
    t.strictSame(command('COMMAND INFO config|nope nope|get'), [null, null]);
    t.equal((command('COMMAND') as unknown[]).length, commands.length);
    t.equal((command('COMMAND INFO') as unknown[]).length, commands.length);
    t.ok(
      Array.isArray((command('COMMAND INFO get', undefined, 2) as unknown[][])[0][2]),
      'RESP2 has arrays for sets',
    );
  });

  t.test('COUNT and LIST', async (t) => {
    t.equal(command('COMMAND COUNT'), commands.length);
    t.strictSame(
      command('COMMAND LIST'),
      everySpec.map((spec) => spec.name),
    );
    t.strictSame(String(command('COMMAND LIST FILTERBY PATTERN gETe*')), 'getex');
    t.strictSame(
      String(command('COMMAND LIST FILTERBY PATTERN m?m*|*s')),
      'memory|malloc-stats,memory|stats',
    );
    t.strictSame(
      String(command('COMMAND LIST FILTERBY ACLCAT dangerous')),
      String(everySpec.filter((c) => c.aclCategories.includes('@dangerous')).map((c) => c.name)),
    );
    t.strictSame(command('COMMAND LIST FILTERBY MODULE x'), []);
    t.equal(command('COMMAND LIST nonsense'), '-ERR syntax error');
    t.equal(command('COMMAND LIST FILTERBY NOPE x'), '-ERR syntax error');
  });

  t.test('DOCS', async (t) => {
    t.strictSame(command('COMMAND DOCS get nosuch'), {
      get: {
        summary: 'Returns the value of a key.',
        since: '1.0.0',
        group: 'string',
        complexity: 'O(1)',
        arguments: [{ name: 'key', type: 'key', key_spec_index: 0 }],
      },
    });
    t.match(command('COMMAND DOCS setnx config'), {
      setnx: { doc_flags: new Set(['deprecated']), deprecated_since: '2.6.12' },
      config: { subcommands: { 'config|get': { summary: String } } },
    });
    t.equal(Object.keys(command('COMMAND DOCS') as object).length, commands.length);
  });

  t.test('GETKEYS', async (t) => {
    t.strictSame(command('COMMAND GETKEYS MSET a b c d'), ['a', 'c']);
    t.strictSame(command('COMMAND GETKEYS DEL a b c'), ['a', 'b', 'c']);
    t.strictSame(command('COMMAND GETKEYSANDFLAGS get a'), [['a', new Set(['RO', 'access'])]]);
    const flagged = (line: string) =>
      (command(`COMMAND GETKEYSANDFLAGS ${line}`) as [string, Set<string>][]).map(([key, flags]) =>
        [key, ...flags].join(' '),
      );
    t.strictSame(flagged('SET k v EX 1 get'), ['k RW access update']);
    t.strictSame(flagged('SET k v EX 1'), ['k OW update']);
    t.strictSame(flagged('SMOVE a b m'), ['a RW access delete', 'b RW insert']);
    t.strictSame(flagged('SINTERSTORE d a b'), ['d RW update', 'a RO access', 'b RO access']);
    t.strictSame(flagged('LMPOP 2 a b LEFT'), ['a RW access delete', 'b RW access delete']);
    t.strictSame(flagged('BLPOP a b 0'), ['a RW access delete', 'b RW access delete']);
    for (const count of ['10', 'x', '0', '-1', '']) {
      t.equal(
        command(`COMMAND GETKEYS SINTERCARD ${count} a`),
        '-ERR Invalid arguments specified for command',
      );
    }
    t.equal(command('COMMAND GETKEYS nosuch a'), '-ERR Invalid command specified');
    t.equal(command('COMMAND GETKEYS echo a'), '-ERR The command has no key arguments');
    t.equal(command('COMMAND GETKEYS get a b'), '-ERR Invalid number of arguments specified for command');
  });

  t.test('HELP, and what is wrong', async (t) => {
    const help = command('COMMAND HELP') as string[];
    t.match(help[0], /^COMMAND <subcommand>/);
    t.strictSame(help.slice(-2), ['HELP', '    Prints this help.']);
    t.equal(command('COMMAND FOO'), "-ERR unknown subcommand 'FOO'. Try COMMAND HELP.");
    t.equal(command('COMMAND COUNT x'), "-ERR wrong number of arguments for 'command|count' command");
    const writer = new RespWriter();
    helpReply(commandTable.get('CLIENT')!, writer, (spec) => spec.name === 'client|id');
    t.equal((decodeReply(writer.take()) as unknown[]).length, 3);
  });

  t.test('only what the process supports', async (t) => {
    const supports = (spec: CommandSpec) => spec.name === 'get' || spec.name.startsWith('config');
    t.equal(command('COMMAND COUNT', supports), 2);
    t.equal(
      String(command('COMMAND LIST', supports)),
      'get,config,config|get,config|set,config|resetstat,config|rewrite,config|help',
    );
    t.strictSame(command('COMMAND INFO set', supports), [null]);
    t.strictSame(command('COMMAND DOCS set', supports), {});
    t.equal(command('COMMAND GETKEYS set a b', supports), '-ERR Invalid command specified');
  });
});

t.test('the notation of arguments', async (t) => {
  const token = (name: string) => ({ name: name.toLowerCase(), type: 'pure-token', token: name });
  t.strictSame(parseSyntax(''), []);
  t.strictSame(parseSyntax('key value'), [
    { name: 'key', type: 'key' },
    { name: 'value', type: 'string' },
  ]);
  t.strictSame(parseSyntax('key [key ...]'), [{ name: 'key', type: 'key', multiple: true }]);
  t.match(parseSyntax('[NX|XX]'), [{ type: 'oneof', optional: true, arguments: [token('NX'), token('XX')] }]);
  t.match(parseSyntax('[EX seconds|KEEPTTL]')[0].arguments, [
    { name: 'seconds', type: 'integer', token: 'EX' },
    token('KEEPTTL'),
  ]);
  t.match(parseSyntax('key value [key value ...]'), [
    { name: 'key_value', type: 'block', multiple: true, arguments: [{ name: 'key' }, { name: 'value' }] },
  ]);
  t.match(parseSyntax('[protover [AUTH username password]]'), [
    {
      type: 'block',
      optional: true,
      arguments: [{ name: 'protover' }, { type: 'block', token: 'AUTH', optional: true }],
    },
  ]);
  t.match(parseSyntax('(ON|OFF)'), [{ type: 'oneof', arguments: [token('ON'), token('OFF')] }]);
  t.match(parseSyntax('[ID client-id [client-id ...]]'), [
    { token: 'ID', type: 'integer', multiple: true, optional: true },
  ]);
  t.match(parseSyntax('command [arg ...]'), [
    { name: 'command' },
    { name: 'arg', optional: true, multiple: true },
  ]);
  t.strictSame(parseSyntax('source destination where:(LEFT|RIGHT) timeout:double'), [
    { name: 'source', type: 'key' },
    { name: 'destination', type: 'key' },
    { name: 'where', type: 'oneof', arguments: [token('LEFT'), token('RIGHT')] },
    { name: 'timeout', type: 'double' },
  ]);
  t.match(parseSyntax('options:[count [WITHVALUES]]'), [{ name: 'options', optional: true, type: 'block' }]);
  t.throws(() => parseSyntax('[NX|XX'), SyntaxError);
});
