import { type RequestParser, replyNumber } from '../../lib/codec/resp/index.ts';
import { noRing } from '../core/fan-out.ts';
import { isErrorReply } from '../core/frames.ts';
import { Gather } from '../core/gather.ts';
import type { ChannelKind, TopicKind } from '../core/pubsub-frames.ts';
import type { RespConnection } from './connection.ts';
import type { Handler } from './context.ts';
import { forward, placeholder } from './forward.ts';
import { inOrder } from './keys-commands.ts';
import { pubsubQuestions } from './pubsub-questions.ts';
import { ClientSubscriptions } from './pubsub-subscriptions.ts';

function namesOf(args: RequestParser): string[] {
  const names: string[] = [];
  for (let i = 1; i < args.count; i++) names.push(args.latin1(i));
  return names;
}

/** One change of a client's subscriptions, as it is told. */
function writeChange(connection: RespConnection, kind: TopicKind, word: string, name: string | null): void {
  const { writer } = connection;
  writer.pushHeader(3);
  writer.bulkLatin1(word);
  if (name === null) writer.nullBulk();
  else writer.bulkLatin1(name);
  writer.integer(connection.subscriptions?.countFor(kind) ?? 0);
}

/** Messages may only come once earlier commands are answered, and later ones count on being subscribed. */
function subscribe(kind: TopicKind, word: string): Handler {
  return (connection, args) => {
    const names = namesOf(args);
    connection.barrier((done) => {
      if (connection.context.router.routes.length === 0) {
        connection.reply(noRing());
        done();
        return;
      }
      connection.subscriptions ??= new ClientSubscriptions(connection);
      const { subscriptions } = connection;
      subscriptions.prepare(kind, names, (failure) => {
        if (failure !== null) connection.reply(failure);
        else {
          for (const name of names) {
            subscriptions.begin(kind, name);
            writeChange(connection, kind, word, name);
          }
          connection.announceWritten();
        }
        done();
      });
    });
  };
}

function unsubscribe(kind: TopicKind, word: string): Handler {
  return (connection, args) => {
    const { subscriptions } = connection;
    const names = args.count > 1 ? namesOf(args) : [...(subscriptions?.names(kind) ?? [])];
    if (names.length === 0) writeChange(connection, kind, word, null);
    for (const name of names) {
      subscriptions?.end(kind, name);
      writeChange(connection, kind, word, name);
    }
    connection.announceWritten();
  };
}

/** Goes to the home of the channel; where clients of this thread listen too, each of them is counted. */
function publish(kind: ChannelKind): Handler {
  return (connection, args, nowMs) => {
    const { router, pubsub } = connection.context;
    if (router.routes.length === 0) {
      connection.reply(noRing());
      return;
    }
    const name = args.latin1(1);
    if (!pubsub.listens(kind, name)) {
      forward(connection, args, 1, 1, true, nowMs);
      return;
    }
    const route = router.routeOf(args.buffer, args.start(1), args.end(1));
    const frame = args.buffer.subarray(args.frameStart, args.frameEnd);
    inOrder(connection, () => {
      const gather = Gather.merging(placeholder(connection, nowMs), ([{ reply }]) => {
        const { bytes, start, end } = reply;
        if (isErrorReply(bytes, start)) return Buffer.from(bytes.subarray(start, end));
        const receivers = pubsub.receivers(kind, name, route.name, replyNumber(bytes, start));
        return Buffer.from(`:${receivers}\r\n`);
      });
      gather.send(router, route, frame, true);
      gather.seal();
    });
  };
}

/** Commands of publish and subscribe, by upper-case name. */
export const pubsubHandlers: Readonly<Record<string, Handler>> = {
  SUBSCRIBE: subscribe('channel', 'subscribe'),
  PSUBSCRIBE: subscribe('pattern', 'psubscribe'),
  SSUBSCRIBE: subscribe('shardChannel', 'ssubscribe'),
  UNSUBSCRIBE: unsubscribe('channel', 'unsubscribe'),
  PUNSUBSCRIBE: unsubscribe('pattern', 'punsubscribe'),
  SUNSUBSCRIBE: unsubscribe('shardChannel', 'sunsubscribe'),
  PUBLISH: publish('channel'),
  SPUBLISH: publish('shardChannel'),
  ...pubsubQuestions,
};
