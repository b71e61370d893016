import type { Logger } from '../../lib/base/index.ts';

/** One line that was logged. */
export interface LogLine {
  level: string;
  msg: string;
  [field: string]: unknown;
}

/** A logger that keeps its lines for assertions. */
export function captureLog(): { log: Logger; lines: LogLine[] } {
  const lines: LogLine[] = [];
  return { log: loggerInto(lines, {}), lines };
}

function loggerInto(lines: LogLine[], bindings: object): Logger {
  const method = (level: string) => (fields: object | string, msg?: string) => {
    if (typeof fields === 'string') lines.push({ ...bindings, level, msg: fields });
    else lines.push({ ...bindings, ...fields, level, msg: msg ?? '' });
  };
  return {
    trace: method('trace'),
    debug: method('debug'),
    info: method('info'),
    warn: method('warn'),
    error: method('error'),
    child: (more) => loggerInto(lines, { ...bindings, ...more }),
  };
}
