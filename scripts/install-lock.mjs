import {
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

const BEAT_MS = 1000;
// A holder that was killed stops touching its file; pids say nothing across containers that share the folder.
const STALE_MS = 10_000;

/**
 * Runs `work` while no other process on this folder does. `say` hears once when another one has to be waited for. The lock
 * is a file that its holder touches every second; one that was not touched for ten belongs to a process that is gone.
 */
export async function withInstallLock(file, say, work) {
  mkdirSync(dirname(file), { recursive: true });
  const own = `${file}.${process.pid}`;
  const token = `${process.pid} ${Date.now()}\n`;
  writeFileSync(own, token);
  let beat;
  const release = () => {
    clearInterval(beat);
    rmSync(own, { force: true });
    if (read(file) === token) rmSync(file, { force: true });
  };
  process.once('exit', release);
  try {
    for (let told = false; !take(file, own); told = true) {
      if (!told) say('waiting for another process that installs the dependencies');
      await delay(250);
      removeIfStale(file, own);
      touch(own);
    }
    beat = setInterval(() => touch(file), BEAT_MS);
    return await work();
  } finally {
    process.off('exit', release);
    release();
  }
}

/** Takes the lock by a hard link: it appears with its content, or not at all. */
function take(file, own) {
  try {
    linkSync(own, file);
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw error;
  }
}

function removeIfStale(file, own) {
  const seen = read(file);
  if (seen === null || !isStale(file)) return;
  const aside = `${own}.stale`;
  try {
    renameSync(file, aside);
    // Another waiter may have replaced the stale lock by its own in between: give that one back.
    if (read(aside) !== seen) linkSync(aside, file);
  } catch (error) {
    if (error.code !== 'ENOENT' && error.code !== 'EEXIST') throw error;
  }
  rmSync(aside, { force: true });
}

function isStale(file) {
  try {
    return Date.now() - statSync(file).mtimeMs > STALE_MS;
  } catch {
    return false;
  }
}

function read(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return null;
  }
}

function touch(file) {
  try {
    const now = new Date();
    utimesSync(file, now, now);
  } catch {
    // Removed by somebody who took this process for dead; the work goes on, npm ci of the other repeats it.
  }
}
