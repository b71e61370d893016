import type { Socket } from 'node:net';
import tls from 'node:tls';
import { CallCredentials, ChannelCredentials, credentials, type experimental } from '@grpc/grpc-js';
import { tlsClientOptions } from '../connect.ts';
import type { TlsMaterial } from '../tls-material.ts';

const HANDSHAKE_TIMEOUT_MS = 5000;

type Connector = ReturnType<ChannelCredentials['_createSecureConnector']>;

/**
 * Credentials for a gRPC channel: with `material` mutual TLS, where each new connection uses what the files hold then, and the
 * server must have a name of the allow list; without, plain text.
 */
export function grpcChannelCredentials(material?: TlsMaterial): ChannelCredentials {
  return material ? new MaterialCredentials(material) : credentials.createInsecure();
}

class MaterialCredentials extends ChannelCredentials {
  readonly #material: TlsMaterial;

  constructor(material: TlsMaterial) {
    super();
    this.#material = material;
  }

  override _isSecure(): boolean {
    return true;
  }

  override _equals(other: ChannelCredentials): boolean {
    return other instanceof MaterialCredentials && other.#material === this.#material;
  }

  override _createSecureConnector(
    target: experimental.GrpcUri,
    _options: unknown,
    callCredentials: CallCredentials = CallCredentials.createEmpty(),
  ): Connector {
    const material = this.#material;
    return {
      connect: async (socket) => ({
        socket: await handshake(socket, material, hostOf(target)),
        secure: true,
      }),
      waitForReady: async () => {},
      getCallCredentials: () => callCredentials,
      destroy: () => {},
    };
  }
}

function handshake(socket: Socket, material: TlsMaterial, host: string): Promise<tls.TLSSocket> {
  return new Promise((resolve, reject) => {
    const secure = tls.connect({ ...tlsClientOptions(material, host, ['h2']), socket });
    const fail = (error: Error) => {
      clearTimeout(timer);
      reject(error);
    };
    const onClose = () => fail(new Error('the server closed the connection in the TLS handshake'));
    const timer = setTimeout(
      () => secure.destroy(new Error('the TLS handshake took too long')),
      HANDSHAKE_TIMEOUT_MS,
    );
    secure.on('error', fail);
    secure.once('close', onClose);
    secure.once('secureConnect', () => {
      clearTimeout(timer);
      secure.off('close', onClose);
      resolve(secure);
    });
  });
}

function hostOf(target: experimental.GrpcUri): string {
  return target.path.replace(/:\d+$/, '').replace(/^\[|\]$/g, '');
}
