import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type ListenOptions } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { claimPort } from '../../lib/net/index.ts';
import { freePort } from '../support/ports.ts';

/* A port that several threads of one process share belongs to that process alone. */

const linux = { skip: process.platform === 'linux' ? false : 'skipped: only Linux has abstract sockets' };
const where = (port: number) => ({ host: '127.0.0.1', port, setting: 'proxy.respPort' });
const taken = {
  code: 'port_in_use',
  message: /^port \d+ on 127\.0\.0\.1 is taken \(setting proxy\.respPort\)$/,
};

t.test('whoever comes second is refused, until the first lets go', linux, async (t) => {
  const { port, release } = await claimPort(where(await freePort()));
  await t.rejects(claimPort(where(port)), taken);
  release();
  const again = await claimPort(where(port));
  t.equal(again.port, port);
  again.release();
});

t.test('a free port is kept until the threads listen', linux, async (t) => {
  const claim = await claimPort(where(0));
  const { port } = claim;
  t.teardown(() => claim.release());
  const bind = async (options: ListenOptions) => {
    const server = createServer();
    server.listen({ host: '127.0.0.1', port, ...options });
    const error = await once(server, 'listening').then(
      () => undefined,
      (reason: Error) => reason,
    );
    return { server, error };
  };
  t.match((await bind({})).error, { code: 'EADDRINUSE' });
  const { server, error } = await bind({ reusePort: true });
  t.equal(error, undefined, 'a thread gets it');
  claim.listened();
  await new Promise((resolve) => server.close(resolve));
  const { server: last, error: none } = await bind({});
  t.equal(none, undefined, 'and then nobody keeps it any more');
  await new Promise((resolve) => last.close(resolve));
});

t.test('of many that claim one port at once, one gets it', linux, async (t) => {
  const port = await freePort();
  const outcomes = await Promise.allSettled(Array.from({ length: 8 }, () => claimPort(where(port))));
  const won = outcomes.filter(({ status }) => status === 'fulfilled');
  t.equal(won.length, 1);
  for (const outcome of outcomes) if (outcome.status === 'fulfilled') outcome.value.release();
});

t.test('a process that is killed leaves nothing behind', linux, async (t) => {
  const port = await freePort();
  const index = JSON.stringify(join(import.meta.dirname, '../../lib/net/index.ts'));
  const script = `const { claimPort } = await import(${index});
    await claimPort({ host: '127.0.0.1', port: ${port}, setting: 'x' });
    console.log('claimed'); setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  await t.rejects(claimPort(where(port)), taken);
  child.kill('SIGKILL');
  await once(child, 'exit');
  const { release } = await claimPort(where(port));
  release();
});
