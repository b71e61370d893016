import { encodeCommand } from '../../lib/codec/resp/index.ts';

/** What the handshake says of the node that makes it. */
export interface HandshakeFacts {
  readonly shard: string;
  readonly shardEpoch: number;
  readonly id: string;
  /** Empty for a leader without users, or for the default user. */
  readonly user: string;
  readonly password: string;
  readonly listeningPort: number;
  /** The host it wants to be known by; empty for the one it is seen at. */
  readonly announcedHost: string;
  /** The stream to go on with and how far it is here; null for a full sync. */
  readonly position: { readonly replId: string; readonly offset: number } | null;
}

/** How the handshake ends. */
export type Outcome =
  | { readonly kind: 'refused'; readonly text: string }
  | { readonly kind: 'full sync'; readonly replId: string; readonly offset: number }
  /** `replId` is empty when the leader did not say; `levelAt` is where its stream stands, -1 when it did not say. */
  | { readonly kind: 'continue'; readonly replId: string; readonly levelAt: number };

/** A question of the handshake, and what it does when the answer is an error. */
interface Question {
  readonly name: 'ping' | 'auth' | 'about' | 'node' | 'psync';
  readonly command: Buffer;
}

const FULL_SYNC = /^\+FULLRESYNC (\S{1,64}) (\d{1,15})$/;
const CONTINUE = /^\+CONTINUE(?: (\S{1,64}))?(?: (\d{1,15}))?$/;
/** What a node says that is not at the head of its chain. */
export const RELAY = 'RELAY';
/** What a redis-server says to options of REPLCONF that it does not know. */
const UNKNOWN_OPTION = /^-ERR (?:Unrecognized REPLCONF option|syntax error)/;

/** What a leader says that cannot write to its disk: all the more a follower should have what it has. */
const CANNOT_SAVE = /^-MISCONF /;

/**
 * What a follower says to its leader, be it a node or a redis-server, before the stream comes: one question after the other, as
 * a redis-server asks. No I/O: gives commands to send, and takes lines.
 */
export class Handshake {
  readonly #questions: Question[];
  #asked: Question | undefined;
  /** The leader is a node, and one of this shard and epoch. */
  isNode = false;
  /** It passes on what its own leader says, and has nothing to say itself. */
  isRelay = false;

  constructor(facts: HandshakeFacts) {
    const { shard, shardEpoch, id, position, announcedHost } = facts;
    const offset = position === null ? -1 : position.offset + 1;
    this.#questions = [
      ...loginOf(facts),
      { name: 'ping', command: encodeCommand('PING') },
      { name: 'about', command: encodeCommand('REPLCONF', 'listening-port', facts.listeningPort) },
      ...(announcedHost === ''
        ? []
        : [{ name: 'about', command: encodeCommand('REPLCONF', 'ip-address', announcedHost) } as const]),
      { name: 'about', command: encodeCommand('REPLCONF', 'capa', 'eof', 'capa', 'psync2') },
      { name: 'node', command: encodeCommand('REPLCONF', 'ringside', shard, shardEpoch, id) },
      { name: 'psync', command: encodeCommand('PSYNC', position?.replId ?? '?', offset) },
    ];
  }

  /** The next question. To be sent at the beginning and after each answer that is no outcome. */
  ask(): Buffer {
    this.#asked = this.#questions.shift();
    return this.#asked!.command;
  }

  /** Takes the answer to the last question; null while there are more to ask. */
  answer(line: string): Outcome | null {
    const { name } = this.#asked!;
    const isError = line.startsWith('-');
    if (name === 'psync') return outcomeOf(line);
    if (name === 'node') {
      this.isNode = !isError;
      this.isRelay = line === `+${RELAY}`;
    }
    const isPardoned =
      name === 'about' ||
      (name === 'node' && UNKNOWN_OPTION.test(line)) ||
      (name === 'ping' && CANNOT_SAVE.test(line));
    return isError && !isPardoned ? { kind: 'refused', text: line.slice(1) } : null;
  }
}

function loginOf({ user, password }: HandshakeFacts): Question[] {
  if (password === '') return [];
  const login = user === '' ? [password] : [user, password];
  return [{ name: 'auth', command: encodeCommand('AUTH', ...login) }];
}

function outcomeOf(line: string): Outcome {
  const full = FULL_SYNC.exec(line);
  if (full) return { kind: 'full sync', replId: full[1], offset: Number(full[2]) };
  const goesOn = CONTINUE.exec(line);
  if (goesOn) {
    const [, replId = '', levelAt = '-1'] = goesOn;
    return { kind: 'continue', replId, levelAt: Number(levelAt) };
  }
  return { kind: 'refused', text: line.startsWith('-') ? line.slice(1) : `unexpected answer ${line}` };
}
