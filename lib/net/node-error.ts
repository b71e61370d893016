import { RingsideError } from '../base/index.ts';
import { formatAddress } from './address.ts';

/** The `code` of a platform error (`ECONNREFUSED`, `ERR_TLS_…`); empty when it has none. */
export function errorCode(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : '';
}

/** One sentence about why a port could not be opened, naming the port and the setting; `cause` keeps the platform's error. */
export function listenError(
  error: unknown,
  { host, port, setting }: { host: string; port: number; setting: string },
): RingsideError {
  const where = `setting ${setting}`;
  switch (errorCode(error)) {
    case 'EADDRINUSE':
      return new RingsideError('port_in_use', `port ${port} on ${host} is taken (${where})`, {
        cause: error,
      });
    case 'EACCES':
      return new RingsideError(
        'config_invalid',
        `port ${port} needs more privileges than this process has (${where})`,
        {
          cause: error,
        },
      );
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return new RingsideError('config_invalid', `${host} is not an address of this host (${where})`, {
        cause: error,
      });
    default: {
      const text = error instanceof Error ? error.message : String(error);
      return new RingsideError(
        'unavailable',
        `cannot listen on ${formatAddress(host, port)} (${where}): ${text}`,
        {
          cause: error,
        },
      );
    }
  }
}
