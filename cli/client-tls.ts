import type { Command } from 'commander';
import { isRingsideError, RingsideError, silentLogger } from '../lib/base/index.ts';
import { loadTls, type TlsMaterial } from '../lib/net/index.ts';
import { loadConfig } from './configuration.ts';
import { UsageError } from './errors.ts';
import type { CommonOptions } from './options.ts';

/** How a command that is a client proves who it is. */
export interface ClientTlsOptions extends CommonOptions {
  readonly cacert?: string;
  readonly cert?: string;
  readonly key?: string;
}

/** Adds the flags of a TLS client, named as redis-cli names them. */
export function addClientTlsOptions(command: Command): Command {
  return command
    .option('--cacert <file>', 'TLS: authority of the server (PEM)')
    .option('--cert <file>', 'TLS: own certificate (PEM)')
    .option('--key <file>', 'TLS: key of --cert (PEM)');
}

/** The TLS identity to use: that of the flags, else that of the configuration, else undefined. */
export function clientTls(options: ClientTlsOptions): TlsMaterial | undefined {
  const { cacert: ca, cert, key } = options;
  const config = loadConfig(options);
  if (ca === undefined && cert === undefined && key === undefined) {
    return config.tls ? loadTls(config.tls, silentLogger) : undefined;
  }
  if (ca === undefined || cert === undefined || key === undefined) {
    throw new UsageError('--cacert, --cert and --key belong together: both sides show a certificate');
  }
  try {
    return loadTls({ ca, cert, key, allowedNames: config.tls?.allowedNames }, silentLogger);
  } catch (error) {
    throw isRingsideError(error) ? new RingsideError(error.code, namingFlags(error.message)) : error;
  }
}

function namingFlags(message: string): string {
  return message.replace(
    /^tls\.(ca|cert|key) /,
    (_, kind: string) => `--${kind === 'ca' ? 'cacert' : kind} `,
  );
}
