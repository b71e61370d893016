import type { Socket } from 'node:net';
import { RingsideError } from '../../lib/base/index.ts';
import { openSocket, parseAddress, type TlsMaterial } from '../../lib/net/index.ts';

const TIMEOUT_MS = 2000;
const HTTP2_SETTINGS = 4;

interface Question {
  readonly ask: string;
  /** Whether the first bytes of an answer (latin1) are as they should be. */
  readonly isAnswer: (text: string) => boolean;
  readonly alpn?: readonly string[];
}

const http = (path: string, statuses: readonly number[]): Question => ({
  ask: `GET ${path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n`,
  isAnswer: (text) => statuses.some((status) => text.startsWith(`HTTP/1.1 ${status} `)),
});

const QUESTIONS: Readonly<Record<string, Question>> = {
  // An error (no password given) is an answer too.
  resp: { ask: 'PING\r\n', isAnswer: (text) => text[0] === '+' || text[0] === '-' },
  memcached: { ask: 'version\r\n', isAnswer: (text) => /^[A-Z]/.test(text) },
  http: http('/v1/key/ringside-dev-probe', [200, 404]),
  admin: http('/readyz', [200]),
  // The client's preface and an empty SETTINGS frame; the server's first frame is its SETTINGS.
  grpc: {
    ask: 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0',
    isAnswer: (text) => text.charCodeAt(3) === HTTP2_SETTINGS,
    alpn: ['h2'],
  },
};

/** Asks the listener of `protocol` at `address` one question of its protocol. Rejects unless it answers as it should. */
export async function probe(protocol: string, address: string, tls: TlsMaterial | undefined): Promise<void> {
  const question = QUESTIONS[protocol] ?? QUESTIONS.admin;
  const { alpn } = question;
  const socket = await openSocket({
    ...parseAddress(address),
    tls,
    timeoutMs: TIMEOUT_MS,
    ...(alpn && { alpn }),
  });
  try {
    const answer = await firstBytes(socket, question.ask);
    if (!question.isAnswer(answer)) {
      throw new RingsideError(
        'unavailable',
        `${protocol} at ${address} answered ${JSON.stringify(answer.slice(0, 80))}`,
      );
    }
  } finally {
    socket.destroy();
  }
}

function firstBytes(socket: Socket, ask: string): Promise<string> {
  return new Promise((resolve, reject) => {
    socket.setTimeout(TIMEOUT_MS, () =>
      socket.destroy(new RingsideError('timeout', `no answer within ${TIMEOUT_MS} ms`)),
    );
    socket.once('data', (bytes) => resolve(bytes.toString('latin1')));
    socket.once('error', reject);
    socket.once('close', () => reject(new RingsideError('unavailable', 'closed without an answer')));
    socket.write(ask, 'latin1');
  });
}
