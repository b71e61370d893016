import { readFileSync } from 'node:fs';
import type { Test } from 'tap';
import { encodeCommand } from '../../lib/codec/resp/index.ts';
import { hasRedisServer, startRedis } from './redis-server.ts';
import { RespClient } from './resp-client.ts';
import { startStandaloneNode } from './ringside.ts';
import { until } from './until.ts';

/*
 * Sessions with a server, written down as they go over the wire; `test/node/transcripts` has them:
 *
 *   ## what this is about       each section begins with an empty server
 *   > RPUSH list a "b c"        the connection of no name sends a command …
 *   :2                          … and gets this reply; line ends are blanks
 *   A> BLPOP other 0            so does a connection named A
 *   A waits                     which is blocked now, its reply still to come
 *   > RPUSH other x
 *   :1
 *   A< *2 $5 other $1 x         here it is; messages of a subscriber are read likewise
 *
 * A reply that is a random choice is written `any`.
 */

const STEP = /^(?:(\w*)> (.*)|(\w+)< (.*)|(\w+) waits|(.*))$/;
const WORD = /"(?:[^"\\]|\\.)*"|\S+/g;
const ANY = 'any';

/** One connection that keeps the replies it got, raw. */
class Session {
  readonly #client: RespClient;
  readonly #replies: string[] = [];
  #arrived: () => void = () => {};

  constructor(address: string) {
    this.#client = new RespClient(address);
    this.#client.readFrames((buffer, start, end) => {
      this.#replies.push(buffer.latin1Slice(start, end).replaceAll('\r\n', ' ').trimEnd());
      this.#arrived();
    });
  }

  send(line: string): void {
    const words = line.match(WORD)!.map((word) => (word.startsWith('"') ? String(JSON.parse(word)) : word));
    this.#client.socket.write(encodeCommand(...words));
  }

  async reply(): Promise<string> {
    if (this.#replies.length === 0) {
      await new Promise<void>((resolve) => {
        this.#arrived = resolve;
      });
    }
    return this.#replies.shift()!;
  }

  close(): void {
    this.#client.close();
  }
}

/** Plays a transcript to the server at `address` and compares every reply. */
export async function play(t: Test, address: string, protocol: 2 | 3, transcript: string): Promise<void> {
  const sessions = new Map<string, Session>();
  const watcher = new RespClient(address);
  t.teardown(() => {
    watcher.close();
    for (const session of sessions.values()) session.close();
  });
  const session = async (name: string) => {
    const known = sessions.get(name);
    if (known) return known;
    const made = new Session(address);
    sessions.set(name, made);
    made.send(`HELLO ${protocol}`);
    await made.reply();
    return made;
  };
  await watcher.send('FLUSHALL');
  const waiting = new Set<string>();
  let [last, command] = ['', ''];
  for (const line of transcript.split('\n').map((text) => text.trim())) {
    if (line === '' || line.startsWith('#')) continue;
    const [, sender, sent, receiver, received, waits, reply] = STEP.exec(line)!;
    if (sent !== undefined) {
      [last, command] = [sender, line];
      (await session(sender)).send(sent);
    } else if (waits !== undefined) {
      waiting.add(waits);
      const pattern = new RegExp(`^blocked_clients:${waiting.size}\r$`, 'm');
      await until(`${line}`, async () => pattern.test((await watcher.text('INFO', 'clients'))!));
    } else {
      waiting.delete(receiver ?? last);
      const wanted = received ?? reply;
      const got = await (await session(receiver ?? last)).reply();
      if (wanted !== ANY) t.equal(got, wanted, command);
    }
  }
}

/**
 * Plays the sections of a file to a node, and to a redis-server where there is one: what that answers is what is right. The protocol is in
 * the file's name: `sets.resp3.txt`.
 */
export async function playToBoth(t: Test, file: URL): Promise<void> {
  const protocol = file.pathname.endsWith('.resp3.txt') ? 3 : 2;
  const sections = readFileSync(file, 'utf8').split(/^## /m).slice(1);
  const servers = [['Ringside', (await startStandaloneNode(t)).ready.resp]];
  if (hasRedisServer) {
    const redis = await startRedis();
    t.teardown(() => redis.stop());
    servers.push(['redis-server', redis.address]);
  }
  for (const [server, address] of servers) {
    for (const section of sections) {
      const end = section.indexOf('\n');
      const title = `${server}, RESP${protocol}: ${section.slice(0, end)}`;
      await t.test(title, (t) => play(t, address, protocol, section.slice(end)));
    }
  }
}
