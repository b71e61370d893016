import { readFileSync } from 'node:fs';
import t from 'tap';
import type { RespValue } from '../../lib/codec/resp/index.ts';
import { type CommandSpec, commands } from '../../lib/commands/index.ts';
import { plans } from '../../proxy/resp/plans.ts';
import { documentOf, FakeControlPlane } from '../support/fake-control-plane.ts';
import { freePort } from '../support/ports.ts';
import { fakeNodes, proxyWith, upstreamsOf } from '../support/proxy-under-test.ts';
import { RespClient } from '../support/resp-client.ts';
import { routingTable } from '../support/routing-table.ts';
import { until } from '../support/until.ts';

/* The one table of commands: what the proxy does, what COMMAND says, and what the page says. */

const everySpec: readonly CommandSpec[] = commands.flatMap((spec) => [spec, ...spec.subcommands]);
const texts = (reply: RespValue) => (reply as RespValue[]).map(String);

t.test('docs/resp.md says of every command what happens to it', async (t) => {
  const page = readFileSync(new URL('../../docs/resp.md', import.meta.url), 'utf8');
  const block = /<!-- commands:begin -->\n(.*)<!-- commands:end -->/s.exec(page)?.[1];
  t.equal(block, routingTable(), 'run: node scripts/write-routing-docs.ts');
});

t.test('every command that a proxy can send has a plan, and none that it cannot', async (t) => {
  for (const spec of everySpec) {
    const isSent = ['key', 'multi', 'pairs', 'gather', 'all'].includes(spec.routing);
    const plan = plans[spec.id];
    if (isSent) t.ok(plan, `${spec.name} is routed`);
    if (spec.routing === 'node' && spec.routingByWord === null) t.notOk(plan, `${spec.name} is not`);
    if (plan === undefined || plan.isContainer) continue;
    t.equal(plan.spec, spec);
    t.equal(plan.keyIndex > 0, plan.handler === null, `${spec.name} is forwarded or has a handler`);
  }
});

t.test('COMMAND', async (t) => {
  const nodes = await fakeNodes(t, 2);
  const { client } = await proxyWith(t, { upstreams: upstreamsOf(nodes.map((leader) => ({ leader }))) });
  let c: RespClient;
  t.before(() => {
    c = client();
  });

  t.test('lists what the proxy has', async (t) => {
    const listed = new Set(texts(await c.send('COMMAND', 'LIST')));
    for (const spec of commands) t.equal(listed.has(spec.name), plans[spec.id] !== undefined, spec.name);
    t.equal(await c.send('COMMAND', 'COUNT'), commands.filter(({ id }) => plans[id] !== undefined).length);
    t.ok(listed.has('object|encoding') && listed.has('memory|usage') && !listed.has('memory|doctor'));
    t.notOk(listed.has('shutdown') || listed.has('psync') || listed.has('rs.epoch'));
  });

  t.test('INFO and DOCS', async (t) => {
    const [get, none] = (await c.send('COMMAND', 'INFO', 'get', 'psync')) as RespValue[][];
    t.strictSame([String(get[0]), get[1], get[3], get[4], get[5]], ['get', 2, 1, 1, 1]);
    t.equal(none, null);
    const docs = texts(await c.send('COMMAND', 'DOCS', 'rs.route'));
    t.equal(docs[0], 'rs.route');
  });

  t.test('GETKEYS', async (t) => {
    const keys = async (...parts: string[]) => {
      const reply = await c.send('COMMAND', 'GETKEYS', ...parts);
      return Array.isArray(reply) ? texts(reply) : String(reply);
    };
    t.strictSame(await keys('MSET', 'a', '1', 'b', '2'), ['a', 'b']);
    t.strictSame(await keys('SORT', 'a', 'GET', 'x*', 'STORE', 'b'), ['a', 'b']);
    t.strictSame(await keys('ZUNION', '2', 'a', 'b', 'WITHSCORES'), ['a', 'b']);
    t.strictSame(await keys('OBJECT', 'FREQ', 'a'), ['a']);
    t.strictSame(await keys('GEORADIUS', 'a', '1', '2', '3', 'km', 'STORE', 'b'), ['a', 'b']);
    t.match(await keys('PING', 'x'), /ERR The command has no key arguments/);
    t.match(await keys('SHUTDOWN', 'x'), /ERR Invalid command specified/);
  });

  t.test('subcommands', async (t) => {
    t.match(await c.send('OBJECT'), { message: "ERR wrong number of arguments for 'object' command" });
    t.match(await c.send('OBJECT', 'ENCODING'), {
      message: "ERR wrong number of arguments for 'object|encoding' command",
    });
    t.match(await c.send('object', 'nope', 'x'), {
      message: "ERR unknown subcommand 'nope'. Try OBJECT HELP.",
    });
    t.match(await c.send('MEMORY', 'STATS'), { message: "ERR unknown subcommand 'STATS'. Try MEMORY HELP." });
    const help = texts(await c.send('MEMORY', 'HELP'));
    t.ok(help.some((line) => line.startsWith('USAGE')) && !help.some((line) => line.startsWith('DOCTOR')));
    t.match(await c.send('DEBUG', 'POPULATE', '5'), {
      message: "ERR unknown subcommand 'POPULATE'. Try DEBUG HELP.",
    });
    t.equal(await c.text('SCRIPT', 'FLUSH'), 'OK', 'on all shards');
  });

  t.test('what means something on a node alone is unknown', async (t) => {
    for (const name of ['SHUTDOWN', 'PSYNC', 'REPLCONF', 'REPLICAOF', 'RS.EPOCH', 'RS.GRANT', 'MIGRATE']) {
      t.match(
        await c.send(name, 'a', 'b'),
        { message: `ERR unknown command '${name}', with args beginning with: 'a' 'b' ` },
        name,
      );
    }
  });
});

t.test('without any ring only what needs none is answered', async (t) => {
  const plane = await FakeControlPlane.start();
  t.teardown(() => plane.stop());
  const port = await freePort();
  const starting = proxyWith(t, { controlPlane: plane.address, respPort: port, connectTimeoutMs: 200 });
  await until('it is attached', () => plane.heardOf('hello').length > 0);
  const c = new RespClient(`127.0.0.1:${port}`);
  t.teardown(() => c.close());
  for (const command of [
    'SINTER a b',
    'KEYS *',
    'RENAME a b',
    'DEBUG SLEEP 0',
    'RS.ROUTE a',
    'OBJECT FREQ a',
    'BGSAVE',
  ]) {
    const message = /^CLUSTERDOWN this proxy has no ring yet/;
    t.match(await c.send(...command.split(' ')), { message }, command);
  }
  t.match(await c.text('INFO', 'memory', 'ringside'), /^# Memory\r\n\r\n# Ringside\r\n.*shards:0/s);
  t.ok(texts(await c.send('OBJECT', 'HELP')).length > 1);
  const [node] = await fakeNodes(t, 1);
  plane.push(documentOf(5, [{ leader: node }]));
  await starting;
  const route = texts(await c.send('RS.ROUTE', 'a'));
  t.equal(route[route.indexOf('ring-epoch') + 1], '5');
});

t.test('a node that answers something else costs the command alone', async (t) => {
  const nodes = await fakeNodes(t, 2);
  const { client } = await proxyWith(t, { upstreams: upstreamsOf(nodes.map((leader) => ({ leader }))) });
  const c = client();
  const keys = Array.from({ length: 20 }, (_, i) => `key:${i}`);
  for (const answer of ['+OK\r\n', ':1\r\n', '*1\r\n$1\r\nx\r\n', '$3\r\nabc\r\n', '*0\r\n', '$-1\r\n']) {
    for (const node of nodes) node.refuse = ({ name }) => (name === 'PING' ? undefined : answer);
    for (const command of ['MGET', 'SUNION', 'SINTER', 'PFCOUNT', 'DEL', 'EXISTS']) {
      await c.send(command, ...keys);
    }
    for (const command of ['KEYS *', 'DBSIZE', 'SCAN 0', 'RANDOMKEY', 'INFO', 'LASTSAVE', 'FLUSHALL']) {
      await c.send(...command.split(' '));
    }
    await c.send('ZUNION', '20', ...keys);
    t.equal(await c.text('PING'), 'PONG', JSON.stringify(answer));
  }
  t.match(await c.send('MGET', ...keys), { message: /^ERR internal error: / });
});
