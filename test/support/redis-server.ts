import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { freePort } from './ports.ts';
import { RespClient } from './resp-client.ts';
import { until } from './until.ts';

/** Whether the real thing is there to compare with. */
export const hasRedisServer = spawnSync('redis-server', ['--version']).status === 0;
/** Why a test is skipped without it. */
export const NO_REDIS = 'redis-server not installed';

/** A redis-server of the test's own, without persistence, that begins full syncs at once. */
export interface RedisServer {
  readonly address: string;
  readonly pid: number;
  stop(): Promise<void>;
}

/** Starts redis-server on a free port and resolves when it answers. */
export async function startRedis(args: readonly string[] = []): Promise<RedisServer> {
  const port = await freePort();
  // A dump in the folder it starts in would be loaded.
  const empty = ['--dir', tmpdir(), '--dbfilename', `ringside-test-${process.pid}-${port}.rdb`];
  const plain = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'];
  // It need not wait for more followers than those that are there.
  const prompt = ['--repl-diskless-sync-delay', '0'];
  const child = spawn('redis-server', [...plain, ...prompt, ...empty, ...args], { stdio: 'ignore' });
  const ended = once(child, 'exit');
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  const address = `127.0.0.1:${port}`;
  await until('redis-server answers', async () => {
    const client = new RespClient(address);
    try {
      // Not somebody else who took the port meanwhile.
      return (await client.text('INFO', 'server'))!.includes(`process_id:${child.pid}\r`);
    } finally {
      client.close();
    }
  });
  return {
    address,
    pid: child.pid!,
    async stop() {
      child.kill('SIGKILL');
      await ended;
      process.off('exit', kill);
    },
  };
}
