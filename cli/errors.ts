import { errorCatalogue, isRingsideError } from '../lib/base/index.ts';

/** The command line itself is wrong: exit code 2. */
export class UsageError extends Error {
  /** `config_invalid` when the mistake is a setting, `usage` otherwise. */
  readonly code: string;

  constructor(message: string, code = 'usage') {
    super(message);
    this.name = 'UsageError';
    this.code = code;
  }
}

/** An error as the command line shows it. */
export interface Failure {
  /** Stable code: of the error catalogue, or `usage`. */
  readonly code: string;
  /** One sentence without a line break and without the full stop at its end. */
  readonly message: string;
  /** 1: the thing asked for failed. 2: wrong usage. */
  readonly exitCode: 1 | 2;
}

/** A failure as it stands on stderr. */
export function sentenceOf({ message }: Failure): string {
  return `ringside: ${message}${/[?!]$/.test(message) ? '' : '.'}\n`;
}

/** What to tell about anything that was thrown. */
export function failureOf(error: unknown): Failure {
  if (error instanceof UsageError) return failure(error.code, error.message, 2);
  if (isRingsideError(error)) return failure(errorCatalogue[error.code].httpCode, error.message);
  return platformFailure(error as NodeJS.ErrnoException & { address?: string; port?: number });
}

function platformFailure(error: NodeJS.ErrnoException & { address?: string; port?: number }): Failure {
  const what = error?.path ?? '';
  switch (error?.code) {
    case 'ENOENT':
      return failure('not_found', `${what} does not exist`);
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return failure('forbidden', `no permission to ${error.syscall ?? 'use'} ${what}`);
    case 'EISDIR':
      return failure('bad_request', `${what || 'the file'} is a folder`);
    case 'ENOTDIR':
    case 'EEXIST':
      return failure('bad_request', `${what} is in the way: it is not a folder`);
    case 'ENOSPC':
      return failure('unavailable', `no space left for ${what}`);
    case 'ECONNREFUSED':
      return failure('unavailable', `nothing listens on ${error.address}:${error.port}`);
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return failure('unavailable', `the host name of ${error.message.split(' ').at(-1)} is not known`);
    default: {
      const text = error instanceof Error ? error.message || error.name : String(error);
      return failure('internal', `${text} (a defect of Ringside: --log-level debug shows where)`);
    }
  }
}

function failure(code: string, message: string, exitCode: 1 | 2 = 1): Failure {
  return {
    code,
    message: message
      .trim()
      .replace(/\s*[\r\n]+\s*/g, ' ')
      .replace(/\.$/, ''),
    exitCode,
  };
}
