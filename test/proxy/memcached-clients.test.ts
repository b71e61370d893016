import { promisify } from 'node:util';
import Memcached from 'memcached';
import t from 'tap';
import { type MemcachedStack, memcachedStack } from '../support/memcached-stack.ts';
import { pythonWith, runPython } from '../support/python.ts';

let stack: MemcachedStack;

t.before(async () => {
  stack = await memcachedStack(t, 3);
});

t.test('npm memcached', async (t) => {
  const client = new Memcached(stack.address, { retries: 0, timeout: 10_000 });
  t.teardown(() => client.end());
  const ask = <T>(run: (done: (error: unknown, value: T) => void) => void) => promisify<T>(run)();
  t.equal(await ask((done) => client.set('js:text', 'hello', 100, done)), true);
  t.equal(await ask((done) => client.get('js:text', done)), 'hello');
  const value = { nested: ['list', 1], text: 'äöü' };
  await ask((done) => client.set('js:json', value, 100, done));
  t.same(await ask((done) => client.get('js:json', done)), value, 'what its flags say comes back as it was');
  await ask((done) => client.set('js:binary', Buffer.from([0, 13, 10, 255]), 100, done));
  t.same(await ask((done) => client.get('js:binary', done)), Buffer.from([0, 13, 10, 255]));
  t.same(await ask((done) => client.getMulti(['js:text', 'js:json', 'js:none'], done)), {
    'js:text': 'hello',
    'js:json': value,
  });
  const { cas } = await ask<{ cas: string }>((done) => client.gets('js:text', done as never));
  t.equal(await ask((done) => client.cas('js:text', 'new', cas, 100, done)), true);
  t.equal(await ask((done) => client.cas('js:text', 'newer', cas, 100, done)), false);
  await ask((done) => client.set('js:n', 5, 100, done));
  t.equal(await ask((done) => client.incr('js:n', 3, done as never)), 8);
  t.equal(await ask((done) => client.decr('js:n', 1, done as never)), 7);
  await t.rejects(
    ask((done) => client.add('js:n', 5, 100, done)),
    'it is there',
  );
  t.equal(await ask((done) => client.append('js:text', '!', done)), true);
  t.equal(await ask((done) => client.touch('js:text', 5, done as never)), true);
  t.equal(await ask((done) => client.del('js:text', done)), true);
  t.equal(await ask((done) => client.get('js:text', done)), undefined);
  const [stats] = await ask<Record<string, unknown>[]>((done) => client.stats(done as never));
  t.equal(stats.version, '1.6.18');
  const [version] = await ask<Record<string, unknown>[]>((done) => client.version(done as never));
  t.match(version, { version: '1.6.18', major: '1', minor: '6', bugfix: '18' });
});

const PYTHON = `
import sys
from pymemcache.client.base import Client
from pymemcache.client.hash import HashClient
from pymemcache import serde
host, port = sys.argv[1].split(':')
c = Client((host, int(port)), serde=serde.pickle_serde, no_delay=True)
assert c.set('py:a', {'x': [1, 2]}, expire=100, noreply=False)
assert c.get('py:a') == {'x': [1, 2]}
assert c.set_many({'py:b': 'one', 'py:c': b'two'}, noreply=False) == []
assert c.get_many(['py:b', 'py:c', 'py:none']) == {'py:b': 'one', 'py:c': b'two'}
value, cas = c.gets('py:b')
assert value == 'one'
assert c.cas('py:b', 'changed', cas, noreply=False) is True
assert c.cas('py:b', 'again', cas, noreply=False) is False
assert c.cas('py:none', 'again', cas, noreply=False) is None
assert c.add('py:b', 'x', noreply=False) is False
assert c.replace('py:none', 'x', noreply=False) is False
r = Client((host, int(port)))
r.set('py:n', '10')
assert r.incr('py:n', 5, noreply=False) == 15
assert r.decr('py:n', 20, noreply=False) == 0
assert r.touch('py:n', 100, noreply=False) is True
assert r.get('py:n') == b'0 '
assert r.append('py:n', '1', noreply=False) is True
assert r.delete('py:n', noreply=False) is True
assert r.get('py:n') is None
assert r.version() == b'1.6.18'
assert int(r.stats()[b'cmd_get']) > 0
assert r.flush_all(noreply=False) is True
h = HashClient([(host, int(port))], use_pooling=True)
h.set('py:h', 'x' * 100000)
assert len(h.get('py:h')) == 100000
print('done')
`;
const python = pythonWith('pymemcache');

t.test('pymemcache', { skip: python === null && 'skipped: pymemcache not installed' }, async (t) => {
  t.match(await runPython(python!, ['-c', PYTHON, stack.address]), /done/);
});
