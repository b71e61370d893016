import { destination, pino, stdTimeFunctions } from 'pino';
import type { Logger } from '../base/index.ts';

/** What every line of a process says about it, and the lowest level that is written. */
export interface LoggerOptions {
  /** `trace`, `debug`, `info`, `warn`, `error` or `silent`. */
  readonly level: string;
  readonly role: string;
  readonly id?: string;
  /** File descriptor to write to; 2 (stderr) by default. */
  readonly fd?: number;
}

/** A logger that writes one JSON object a line, synchronously, so that the last line before a crash is there. */
export function createLogger({ level, role, id, fd = 2 }: LoggerOptions): Logger {
  return pino(
    {
      level,
      base: { role, ...(id !== undefined && { id }), pid: process.pid },
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    destination({ fd, sync: true }),
  );
}
