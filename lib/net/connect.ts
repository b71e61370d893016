import net from 'node:net';
import tls from 'node:tls';
import { RingsideError } from '../base/index.ts';
import { formatAddress } from './address.ts';
import { checkServerName } from './peer.ts';
import { SharedReadSocket } from './shared-reads.ts';
import type { TlsMaterial } from './tls-material.ts';

const KEEP_ALIVE_MS = 60_000;

/** Where to connect to, and how. */
export interface ConnectOptions {
  readonly host: string;
  readonly port: number;
  /** Present: TLS with this certificate, and the server must have a name of its allow list. */
  readonly tls?: TlsMaterial;
  /** Protocols offered by ALPN, e.g. `h2`; needs `tls`. */
  readonly alpn?: readonly string[];
  /** Reads into memory shared with other sockets, see `readRanges`; of no effect with TLS. */
  readonly sharedReads?: boolean;
  /** Milliseconds for name lookup, TCP and TLS together. */
  readonly timeoutMs: number;
}

/**
 * Opens a connection and calls `onConnected` once it can be used: after the TCP handshake, or after the TLS handshake and the
 * check of the server's names.
 *
 * What goes wrong comes as `error` and then `close` on the socket; a missed deadline is a RingsideError `timeout`. The socket
 * has an error listener of its own, so an owner that listens to `close` alone loses nothing but the reason.
 */
export function connectSocket(
  options: ConnectOptions,
  onConnected?: (socket: net.Socket) => void,
): net.Socket {
  const { host, port, tls: material, alpn, sharedReads, timeoutMs } = options;
  const base = { host, port, noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS };
  const socket = material
    ? tls.connect({ ...base, ...tlsClientOptions(material, host, alpn) })
    : sharedReads
      ? SharedReadSocket.open(base)
      : net.connect(base);
  const timer = setTimeout(() => {
    const where = formatAddress(host, port);
    socket.destroy(new RingsideError('timeout', `no connection to ${where} within ${timeoutMs} ms`));
  }, timeoutMs);
  socket.on('error', ignore);
  socket.once('close', () => clearTimeout(timer));
  socket.once(material ? 'secureConnect' : 'connect', () => {
    clearTimeout(timer);
    onConnected?.(socket);
  });
  return socket;
}

/** The promise form of `connectSocket`; rejects with what went wrong. */
export function openSocket(options: ConnectOptions): Promise<net.Socket> {
  return new Promise((resolve, reject) => {
    const socket = connectSocket(options, (connected) => {
      socket.off('error', reject);
      resolve(connected);
    });
    socket.once('error', reject);
  });
}

/** Options of `tls.connect` for a connection that starts now to `host`. */
export function tlsClientOptions(
  material: TlsMaterial,
  host: string,
  alpn?: readonly string[],
): tls.ConnectionOptions {
  return {
    secureContext: material.secureContext,
    // Said out loud, so that no environment variable can turn it off.
    rejectUnauthorized: true,
    // An IP address is not allowed as SNI.
    ...(net.isIP(host) === 0 && { servername: host }),
    ...(alpn && { ALPNProtocols: [...alpn] }),
    checkServerIdentity: (_host, certificate) => checkServerName(certificate, material.allowedNames),
  };
}

function ignore(): void {}
