import { isRingsideError, RingsideError } from '../../lib/base/index.ts';

/** `error` itself when it has a code, else an `internal` one whose cause is for the log and not for the client. */
export function asRingsideError(error: unknown): RingsideError {
  return isRingsideError(error)
    ? error
    : new RingsideError('internal', 'unexpected error, see the log', { cause: error });
}
