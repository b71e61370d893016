import { open } from 'node:fs/promises';
import { setImmediate } from 'node:timers/promises';
import { type Clock, type Logger, RingsideError } from '../../lib/base/index.ts';
import { RdbFormatError } from '../../lib/codec/rdb/index.ts';
import { errorCode, FileReplacement } from '../../lib/net/index.ts';
import type { Databases } from '../databases.ts';
import { SnapshotLoader } from './load.ts';
import type { SnapshotWriter } from './snapshot.ts';

/** One slice of writing: well below a millisecond of small values. */
export const WRITE_SLICE_BYTES = 16 << 10;
/** One slice of loading; clients are answered between them. */
const READ_SLICE_BYTES = 256 << 10;
/** How often progress is logged. */
const PROGRESS_MS = 2000;

/** How far a file has been loaded. */
export interface LoadProgress {
  readonly startedMs: number;
  readonly totalBytes: number;
  loadedBytes: number;
}

/** Writes a snapshot to `path`, in slices between which others have their turn. False when the snapshot was aborted; then the old file stays. */
export async function writeRdbFile(path: string, snapshot: SnapshotWriter): Promise<boolean> {
  const file = await FileReplacement.create(path);
  try {
    for (
      let part = snapshot.next(WRITE_SLICE_BYTES);
      part !== null;
      part = snapshot.next(WRITE_SLICE_BYTES)
    ) {
      // A slice that found nothing to write takes its time too.
      if (part.length === 0) await setImmediate();
      else await file.write(part);
    }
    if (snapshot.isDone) await file.commit();
    else await file.discard();
    return snapshot.isDone;
  } catch (error) {
    await file.discard();
    throw error;
  } finally {
    snapshot.close();
  }
}

/** What loading a file goes by. */
export interface LoadFileOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly skipsExpired: boolean;
  /** Called when the file is there, before anything of it is loaded. */
  onBegin(progress: LoadProgress): void;
}

/**
 * Loads an RDB file in slices between which others have their turn. Null when there is no file. Rejects with RingsideError
 * `config_invalid` when it cannot be loaded: with the offset and what to do.
 */
export async function loadRdbFile(
  path: string,
  databases: Databases,
  { clock, log, skipsExpired, onBegin }: LoadFileOptions,
): Promise<SnapshotLoader | null> {
  const file = await open(path, 'r').catch((error: unknown) => {
    if (errorCode(error) === 'ENOENT') return null;
    throw new RingsideError('config_invalid', `${path} cannot be read: ${error}`, { cause: error });
  });
  if (file === null) return null;
  const startedMs = clock.monotonicMs();
  const progress = { startedMs: clock.wallMs(), totalBytes: (await file.stat()).size, loadedBytes: 0 };
  onBegin(progress);
  const loader = new SnapshotLoader(databases, { skipsExpired, nowMs: clock.wallMs() });
  try {
    let told = startedMs;
    let buffers = [Buffer.allocUnsafeSlow(READ_SLICE_BYTES), Buffer.allocUnsafeSlow(READ_SLICE_BYTES)];
    let reading = file.read(buffers[0], 0, READ_SLICE_BYTES, 0);
    for (let at = 0; !loader.isDone; ) {
      const { bytesRead } = await reading;
      if (bytesRead === 0) throw new RdbFormatError(`offset ${loader.offset}: the file is cut off`);
      const [full, free] = buffers;
      at += bytesRead;
      // The next part is read while this one is loaded.
      reading = file.read(free, 0, READ_SLICE_BYTES, at);
      reading.catch(() => {});
      loader.push(full, 0, bytesRead);
      buffers = [free, full];
      progress.loadedBytes = at;
      const nowMs = clock.monotonicMs();
      if (nowMs - told < PROGRESS_MS) continue;
      told = nowMs;
      const percent = Math.floor((100 * at) / progress.totalBytes);
      log.info({ path, percent, keys: loader.loaded }, 'loading the dataset');
    }
    await reading;
    loader.goOn();
  } catch (error) {
    if (!(error instanceof RdbFormatError)) throw error;
    const advice = `\`redis-check-rdb ${path}\` says more; move the file away to start without it`;
    throw new RingsideError('config_invalid', `${path} is damaged at ${error.message}: ${advice}`, {
      cause: error,
    });
  } finally {
    await file.close();
  }
  const tookMs = Math.round(clock.monotonicMs() - startedMs);
  log.info({ path, keys: loader.loaded, expired: loader.expired, tookMs }, 'dataset loaded');
  return loader;
}
