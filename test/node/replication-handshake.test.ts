import t from 'tap';
import { BulkReceiver } from '../../node/replication/bulk-receiver.ts';
import { Handshake, type Outcome } from '../../node/replication/handshake.ts';

/* What a follower and its leader say before the stream comes. */

const MARK = 'f'.repeat(40);
const STREAM = Buffer.from('*1\r\n$4\r\nPING\r\n');

/** What a receiver makes of chunks: the snapshot, and what it gives back. */
function received(chunks: readonly Buffer[]): { file: string; rest: string; isDone: boolean } {
  const taken: Buffer[] = [];
  const rest: Buffer[] = [];
  const bulk = new BulkReceiver({ push: (bytes) => taken.push(Buffer.from(bytes)) });
  for (const chunk of chunks) {
    const left = bulk.isDone ? chunk : bulk.push(chunk);
    if (left !== null) rest.push(left);
  }
  return {
    file: Buffer.concat(taken).toString('latin1'),
    rest: Buffer.concat(rest).toString('latin1'),
    isDone: bulk.isDone,
  };
}

t.test('a snapshot arrives whole wherever it is cut', async (t) => {
  const file = `REDIS0010${'f'.repeat(39)}\r\n$EOF`;
  const counted = Buffer.concat([Buffer.from(`\n\n$${file.length}\r\n${file}`), STREAM]);
  const marked = Buffer.from(`\n$EOF:${MARK}\r\n${file}${MARK}`);
  let wrong = 0;
  for (const [bytes, rest] of [
    [counted, STREAM.toString()],
    [marked, ''],
  ] as const) {
    for (let cut = 0; cut <= bytes.length; cut++) {
      const got = received([bytes.subarray(0, cut), bytes.subarray(cut)]);
      if (got.file !== file || got.rest !== rest || !got.isDone) wrong++;
    }
    const single = received(Array.from(bytes, (byte) => Buffer.from([byte])));
    if (single.file !== file || single.rest !== rest) wrong++;
  }
  t.equal(wrong, 0);
  t.throws(() => received([Buffer.from('+OK\r\n')]), { message: /no snapshot: \+OK/ });
  t.throws(() => received([Buffer.from('$'.repeat(200))]), { message: /no snapshot/ }, 'a line has an end');
});

/** The commands of a handshake by name, and its outcome; `answers` are those of the leader in turn. */
function shake(answers: readonly string[]): { asked: string[]; outcome: Outcome | null; isNode: boolean } {
  const handshake = new Handshake({
    shard: 's1',
    shardEpoch: 3,
    id: 'n2',
    user: '',
    password: 'secret',
    announcedHost: '',
    listeningPort: 7501,
    position: { replId: 'a'.repeat(40), offset: 99 },
  });
  const asked: string[] = [];
  let outcome: Outcome | null = null;
  for (const answer of answers) {
    asked.push(
      handshake
        .ask()
        .toString()
        .split('\r\n')
        .filter((_, i) => i > 0 && i % 2 === 0)
        .join(' '),
    );
    outcome = handshake.answer(answer);
    if (outcome !== null) break;
  }
  return { asked, outcome, isNode: handshake.isNode };
}

t.test('a node, a redis-server, and those that refuse', async (t) => {
  const before = ['+OK', '+PONG', '+OK', '+OK'];
  t.same(shake([...before, '+OK', '+CONTINUE b 120']), {
    asked: [
      'AUTH secret',
      'PING',
      'REPLCONF listening-port 7501',
      'REPLCONF capa eof capa psync2',
      'REPLCONF ringside s1 3 n2',
      `PSYNC ${'a'.repeat(40)} 100`,
    ],
    outcome: { kind: 'continue', replId: 'b', levelAt: 120 },
    isNode: true,
  });
  const redis = [...before, '-ERR Unrecognized REPLCONF option: ringside'];
  t.match(shake([...redis, '+FULLRESYNC c 5']), {
    outcome: { kind: 'full sync', replId: 'c', offset: 5 },
    isNode: false,
  });
  t.match(shake([...redis, '+CONTINUE']), { outcome: { kind: 'continue', replId: '', levelAt: -1 } });
  t.match(shake([...before, '-STALERING old']), { outcome: { kind: 'refused', text: 'STALERING old' } });
  t.match(shake(['-WRONGPASS no']), { outcome: { kind: 'refused', text: 'WRONGPASS no' } });
  t.match(shake([...redis, '-NOMASTERLINK x']), { outcome: { kind: 'refused', text: 'NOMASTERLINK x' } });
  t.match(shake([...redis, '+HELLO']), { outcome: { kind: 'refused', text: 'unexpected answer +HELLO' } });
});
