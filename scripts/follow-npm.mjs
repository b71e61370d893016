import { readFileSync } from 'node:fs';

const POLL_MS = 500;

/**
 * Ends this process, as SIGTERM would, once the npm that runs it as a script is gone. npm passes a signal on to its shell
 * alone, which dies without telling anybody: what it had started would run on and keep its ports.
 */
export function followNpm() {
  if (!process.env.npm_lifecycle_event) return;
  const { ppid } = process;
  // Only Linux tells about others; elsewhere at least the shell is watched. A shell may also have become this process.
  const isShell = commandOf(ppid)?.startsWith('sh\0-c\0') ?? false;
  const npm = isShell ? parentOf(ppid) : null;
  const timer = setInterval(() => {
    if (process.ppid === ppid && (npm === null || parentOf(ppid) === npm)) return;
    clearInterval(timer);
    process.kill(process.pid, 'SIGTERM');
  }, POLL_MS);
  timer.unref();
}

function commandOf(pid) {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1');
  } catch {
    return null;
  }
}

function parentOf(pid) {
  try {
    // `pid (name) state ppid …`, and the name may hold anything.
    return Number(readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ').at(-1).split(' ')[1]);
  } catch {
    return null;
  }
}
