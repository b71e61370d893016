import { type Answer, BAD_FORMAT, ERROR, LineAnswer, SILENCE } from './answer.ts';
import { authenticate } from './auth-command.ts';
import type { MemcachedConnection } from './connection.ts';
import { runArithmetic, runDelete } from './edit-command.ts';
import { runFlush } from './flush-command.ts';
import { runGet, runGetAndTouch } from './get-command.ts';
import { runMetaArithmetic, runMetaDelete } from './meta-edit.ts';
import { runMetaDebug, runMetaGet } from './meta-read.ts';
import { refusalFor } from './permission.ts';
import { type MemcachedParser, unsigned32, wordIs, wordText } from './protocol/index.ts';
import { rateRefusal } from './rates.ts';
import { runStats } from './stats-command.ts';
import { runStore } from './store-command.ts';
import { runTouch } from './touch-command.ts';
import { SPOKEN_VERSION } from './versions.ts';

const VERSION = new LineAnswer(`VERSION ${SPOKEN_VERSION}`);
const OK = new LineAnswer('OK');
const NO_OPERATION = new LineAnswer('MN');

/** Runs the command in `parser`. Every command gets exactly one answer, in order. */
type Handler = (connection: MemcachedConnection, parser: MemcachedParser, nowMs: number) => void;

interface Entry {
  readonly run: Handler;
  /** Words that the line may have, the name included; others are an ERROR. */
  readonly fewest: number;
  readonly most: number;
}

const ANY_NUMBER = Number.MAX_SAFE_INTEGER;
const entry = (run: Handler, fewest = 1, most = ANY_NUMBER): Entry => ({ run, fewest, most });
const line = (answer: Answer): Handler => {
  return (connection) => connection.say(answer);
};
const get: Handler = (connection, parser, nowMs) => runGet(connection, parser, nowMs, false);
const getEntry = entry(get);

const entries: ReadonlyMap<string, Entry> = new Map([
  ['get', getEntry],
  ['bget', getEntry],
  ['gets', entry((connection, parser, nowMs) => runGet(connection, parser, nowMs, true))],
  ['gat', entry((connection, parser, nowMs) => runGetAndTouch(connection, parser, nowMs, false))],
  ['gats', entry((connection, parser, nowMs) => runGetAndTouch(connection, parser, nowMs, true))],
  ['set', entry(runStore, 5, 6)],
  ['add', entry(runStore, 5, 6)],
  ['replace', entry(runStore, 5, 6)],
  ['append', entry(runStore, 5, 6)],
  ['prepend', entry(runStore, 5, 6)],
  ['cas', entry(runStore, 6, 7)],
  ['delete', entry(runDelete, 2, 4)],
  ['incr', entry((connection, parser, nowMs) => runArithmetic(connection, parser, nowMs, false), 3, 4)],
  ['decr', entry((connection, parser, nowMs) => runArithmetic(connection, parser, nowMs, true), 3, 4)],
  ['touch', entry(runTouch, 3, 4)],
  ['flush_all', entry(runFlush)],
  ['stats', entry(runStats)],
  ['verbosity', entry(runVerbosity, 2, 3)],
  ['version', entry(line(VERSION))],
  ['quit', entry((connection) => connection.end())],
  ['mg', entry(runMetaGet)],
  ['ms', entry(runMetaStore, 2)],
  ['md', entry(runMetaDelete)],
  ['ma', entry(runMetaArithmetic)],
  ['me', entry(runMetaDebug)],
  ['mn', entry(line(NO_OPERATION))],
  ['cache_memlimit', entry(runMemoryLimit, 2, 3)],
  // What memcached says where these are turned off: there are no slabs, and no list of all items, to work on.
  ['slabs', entry(line(new LineAnswer('CLIENT_ERROR slab reassignment disabled')))],
  ['lru_crawler', entry(line(new LineAnswer('CLIENT_ERROR lru crawler disabled')))],
  ['watch', entry(line(new LineAnswer('CLIENT_ERROR watch commands not allowed')))],
  ['shutdown', entry(line(new LineAnswer('ERROR: shutdown not enabled')))],
]);

/** Names of the commands, and of what a client says before it has logged in; the last is of what is none. */
export const commandNames: readonly string[] = [...entries.keys(), 'auth', 'none'];
const ids: ReadonlyMap<string, number> = new Map(commandNames.map((name, i) => [name, i]));
const NO_COMMAND = commandNames.length - 1;
const AUTH = commandNames.length - 2;

/** Makes the command in `parser` the one at hand; false when the client may not run it, and was told so. */
export function mayRun(connection: MemcachedConnection, parser: MemcachedParser): boolean {
  connection.commandId = parser.count === 0 ? NO_COMMAND : (ids.get(wordText(parser, 0)) ?? NO_COMMAND);
  const { watch, commands } = connection.context;
  if (--watch.quiet < 0) connection.trace = commands.looksAt(parser, connection, nameOf(connection));
  const refusal = refusalFor(connection.user, parser);
  if (refusal === null) return true;
  connection.say(
    parser.count > 1 && wordIs(parser, parser.count - 1, 'noreply') ? SILENCE : new LineAnswer(refusal),
  );
  return false;
}

/** Does what the line in `parser` asks for. */
export function dispatch(connection: MemcachedConnection, parser: MemcachedParser, nowMs: number): void {
  const { watch, commands, router } = connection.context;
  const { rates } = router.env;
  const refusal =
    rates !== null && connection.isAuthenticated ? rateRefusal(rates, connection, parser, nowMs) : null;
  if (refusal !== null) {
    connection.commandId = NO_COMMAND;
    connection.say(new LineAnswer(refusal));
  } else if (!connection.isAuthenticated) {
    connection.commandId = AUTH;
    if (--watch.quiet < 0) connection.trace = commands.looksAtSecret(parser, connection, 'auth');
    authenticate(connection, parser);
  } else if (connection.user.isUnlimited && parser.count > 1 && wordIs(parser, 0, 'get')) {
    connection.commandId = 0;
    if (--watch.quiet < 0) connection.trace = commands.looksAt(parser, connection, 'get');
    get(connection, parser, nowMs);
  } else if (mayRun(connection, parser)) {
    const found = parser.count === 0 ? undefined : entries.get(wordText(parser, 0));
    if (found === undefined) unknown(connection, parser);
    else if (parser.count < found.fewest || parser.count > found.most) connection.say(ERROR);
    else found.run(connection, parser, nowMs);
  }
}

function nameOf({ commandId }: MemcachedConnection): string {
  return commandNames[commandId];
}

/** Like memcached, hangs up on what comes by mistake: somebody who speaks HTTP. */
function unknown(connection: MemcachedConnection, parser: MemcachedParser): void {
  const last = parser.count - 1;
  if (last > 0 && parser.buffer.latin1Slice(parser.start(last), parser.end(last)).startsWith('HTTP/'))
    connection.end();
  else connection.say(ERROR);
}

function runMetaStore(connection: MemcachedConnection, parser: MemcachedParser, nowMs: number): void {
  if (parser.blockBytes < 0) connection.say(BAD_FORMAT);
  else runStore(connection, parser, nowMs);
}

/** The level is taken and has no effect: what the proxy logs is its configuration's. */
function runVerbosity(connection: MemcachedConnection, parser: MemcachedParser): void {
  const isQuiet = wordIs(parser, parser.count - 1, 'noreply');
  const level = unsigned32(parser.buffer, parser.start(1), parser.end(1));
  if (isQuiet) connection.say(SILENCE);
  else connection.say(level === null ? BAD_FORMAT : OK);
}

/** How much memory there is is the nodes' configuration. */
function runMemoryLimit(connection: MemcachedConnection, parser: MemcachedParser): void {
  const megabytes = unsigned32(parser.buffer, parser.start(1), parser.end(1));
  if (wordIs(parser, parser.count - 1, 'noreply')) connection.say(SILENCE);
  else if (megabytes === null) connection.say(ERROR);
  else if (megabytes < 8)
    connection.say(new LineAnswer('MEMLIMIT_TOO_SMALL cannot set maxbytes to less than 8m'));
  else connection.say(new LineAnswer('MEMLIMIT_ADJUST_FAILED out of bounds or unable to adjust'));
}
