import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { isInstalled, type Server } from './peers.ts';

/** For what is measured, and for the load: null where this process may not use two, or cannot say who runs where. */
export const processors = twoProcessors();

function twoProcessors(): { readonly server: number; readonly load: number } | null {
  const list = /^Cpus_allowed_list:\s+(.*)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '';
  const numbers = list.split(',').flatMap((range) => {
    const [first, last = first] = range.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, i) => first + i);
  });
  if (numbers.length < 2 || !isInstalled('taskset')) return null;
  return { server: numbers[0], load: numbers[1] };
}

/**
 * Keeps a server's main thread on one processor, and redis-benchmark off it (`Load.isApart`). Left to itself the kernel moves the two about: at depth 1
 * either server then runs at 110,000 or at 250,000 commands a second, from one turn to the next. Its other threads run where they may.
 */
export function apart(server: Server): Server {
  if (processors !== null) spawnSync('taskset', ['-pc', `${processors.server}`, `${server.pid}`]);
  return server;
}
