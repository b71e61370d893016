import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { freePort } from './ports.ts';
import { RespClient } from './resp-client.ts';
import { until } from './until.ts';

/** A Sentinel of the test's own, which alone decides over the shard `name` led by `leader`; ended with the test. Resolves with its address. */
export async function startSentinel(t: Test, name: string, leader: string): Promise<string> {
  const port = await freePort();
  const file = join(t.testdir(), `sentinel-${port}.conf`);
  const [host, leaderPort] = leader.split(':');
  writeFileSync(
    file,
    [
      `port ${port}`,
      'bind 127.0.0.1',
      `sentinel monitor ${name} ${host} ${leaderPort} 1`,
      `sentinel down-after-milliseconds ${name} 3000`,
      `sentinel failover-timeout ${name} 5000`,
      '',
    ].join('\n'),
  );
  const child = spawn('redis-server', [file, '--sentinel'], { stdio: 'ignore' });
  const ended = once(child, 'exit');
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  t.teardown(async () => {
    kill();
    await ended;
    process.off('exit', kill);
  });
  const address = `127.0.0.1:${port}`;
  await until('the Sentinel has found the followers', async () => {
    const client = new RespClient(address);
    try {
      return ((await client.send('SENTINEL', 'SLAVES', name)) as unknown[]).length > 0;
    } finally {
      client.close();
    }
  });
  return address;
}
