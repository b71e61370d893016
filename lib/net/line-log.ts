import { destination, pino } from 'pino';

/** Lines are gathered up to so many bytes, and written within `FLUSH_MS`. */
const GATHERED_BYTES = 4096;
const FLUSH_MS = 500;

/** Writes JSON objects, one a line. */
export interface LineLog {
  write(line: object): void;
  /** Resolves once everything is written. */
  close(): Promise<void>;
}

/**
 * A log of JSON lines appended to the file at `path` (made with missing folders), or to stderr without one. Lines are gathered and written in the
 * background; several threads and processes may append to one file.
 */
export function createLineLog(path: string | null): LineLog {
  const stream = destination({
    dest: path ?? 2,
    append: true,
    mkdir: true,
    minLength: GATHERED_BYTES,
    sync: false,
  });
  const log = pino({ base: null, timestamp: false, formatters: { level: (level) => ({ level }) } }, stream);
  const flusher = setInterval(() => stream.flush(), FLUSH_MS);
  flusher.unref();
  // A full disk must not end the process: what cannot be written is lost.
  stream.on('error', () => {});
  return {
    write: (line) => log.info(line),
    close: () =>
      new Promise((resolve) => {
        clearInterval(flusher);
        stream.flush(() => {
          stream.once('close', () => resolve());
          if (path === null) resolve();
          else stream.end();
        });
      }),
  };
}
