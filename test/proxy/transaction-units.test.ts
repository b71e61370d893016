import t from 'tap';
import { encodeCommand, ReplyFramer, RequestParser } from '../../lib/codec/resp/index.ts';
import { UnitFrame } from '../../proxy/core/unit.ts';
import { abortReply, type UnitAnswer, UnitReplies } from '../../proxy/core/unit-replies.ts';

/* What a transaction is made of: the piece that is sent, and the replies that come. */

t.test('a unit is MULTI, the commands as they came, EXEC, whatever their sizes', async (t) => {
  for (const sizes of [[], [1], [450, 0, 1], [10_000, 1], Array.from({ length: 200 }, (_, i) => i * 7)]) {
    const frame = new UnitFrame();
    const commands = sizes.map((size) => encodeCommand('SET', 'k', Buffer.alloc(size, 'x')));
    for (const command of commands) {
      const parser = new RequestParser({
        maxBulkBytes: 1e9,
        maxArrayLength: 10,
        maxInlineBytes: 10,
        maxBufferedBytes: 1e9,
      });
      parser.push(command);
      parser.next();
      frame.add(parser);
    }
    t.equal(frame.commands, sizes.length);
    const whole = Buffer.concat([encodeCommand('MULTI'), ...commands, encodeCommand('EXEC')]);
    t.ok(frame.finish().equals(whole), `${sizes.length} commands`);
    t.ok(frame.bytes >= whole.length);
  }
});

function answerOf(commands: number, text: string): { answer: UnitAnswer | null; isBroken: boolean } {
  const replies = new UnitReplies(commands);
  const framer = new ReplyFramer();
  framer.push(Buffer.from(text));
  let answer: UnitAnswer | null = null;
  while (framer.next()) {
    t.equal(answer, null, 'only the last reply is the answer');
    answer = replies.take(framer.buffer, framer.frameStart, framer.frameEnd);
  }
  return { answer, isBroken: replies.isBroken };
}

const textOf = ({ buffer, start, end }: UnitAnswer) => buffer.latin1Slice(start, end);

t.test('what EXEC says, and why a transaction did not run', async (t) => {
  const cases: [replies: string, text: string, refusal: string | null][] = [
    ['+OK\r\n+QUEUED\r\n*1\r\n:1\r\n', '*1\r\n:1\r\n', null],
    ['+OK\r\n+QUEUED\r\n*-1\r\n', '*-1\r\n', null],
    [
      '+OK\r\n+QUEUED\r\n-UNKNOWN write outcome unknown: x\r\n',
      '-UNKNOWN write outcome unknown: x\r\n',
      null,
    ],
    [
      '+OK\r\n-READONLY no\r\n-EXECABORT Transaction discarded because of previous errors.\r\n',
      '-EXECABORT Transaction discarded because of: READONLY no\r\n',
      'READONLY no',
    ],
    [
      '+OK\r\n+QUEUED\r\n-EXECABORT Transaction discarded because of: LOADING x\r\n',
      '-EXECABORT Transaction discarded because of: LOADING x\r\n',
      'LOADING x',
    ],
  ];
  for (const [replies, text, refusal] of cases) {
    const { answer, isBroken } = answerOf(1, replies);
    t.equal(textOf(answer!), text);
    t.equal(answer!.refusal, refusal);
    t.equal(isBroken, false);
  }
});

t.test('a refused MULTI is no transaction', async (t) => {
  t.equal(answerOf(1, '+OK\r\n').isBroken, false);
  t.equal(answerOf(1, '-ERR no\r\n').isBroken, true);
  t.equal(abortReply('ERR why').toString(), '-EXECABORT Transaction discarded because of: why\r\n');
});
