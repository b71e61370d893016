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
  const answer = await ask(address, question, tls, (text) => text.length > 0);
  if (!question.isAnswer(answer)) {
    throw new RingsideError(
      'unavailable',
      `${protocol} at ${address} answered ${JSON.stringify(answer.slice(0, 80))}`,
    );
  }
}

/** The JSON at `path` of the HTTP listener at `address`. By hand, because an HTTP client takes 100 ms to load. */
export async function getJson<T>(address: string, path: string, tls: TlsMaterial | undefined): Promise<T> {
  const question = http(path, [200]);
  // The server closes behind its answer.
  const answer = await ask(address, question, tls, () => false);
  if (!question.isAnswer(answer)) {
    throw new RingsideError('unavailable', `http://${address}${path} answered ${answer.split('\r\n', 1)[0]}`);
  }
  return JSON.parse(answer.slice(answer.indexOf('\r\n\r\n') + 4)) as T;
}

/** The answer as latin1, up to where `isEnough` says so or the connection ends. */
async function ask(
  address: string,
  { ask, alpn }: Question,
  tls: TlsMaterial | undefined,
  isEnough: (text: string) => boolean,
): Promise<string> {
  const socket = await openSocket({
    ...parseAddress(address),
    tls,
    timeoutMs: TIMEOUT_MS,
    ...(alpn && { alpn }),
  });
  return new Promise((resolve, reject) => {
    let text = '';
    socket.setTimeout(TIMEOUT_MS, () =>
      socket.destroy(new RingsideError('timeout', `no answer within ${TIMEOUT_MS} ms`)),
    );
    socket.setEncoding('latin1').on('data', (part) => {
      text += part;
      if (isEnough(text)) socket.destroy();
    });
    socket.once('error', reject);
    socket.once('close', () => resolve(text));
    socket.write(ask, 'latin1');
  });
}
