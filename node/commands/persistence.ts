import { errorCatalogue } from '../../lib/base/index.ts';
import type { Args, RespWriter } from '../../lib/codec/resp/index.ts';
import { shutdownHow } from '../shutdown.ts';
import { type CommandContext, type CommandHandlers, SYNTAX_ERROR } from './command.ts';

const NO_FOLDER = 'ERR this node has no folder for files: start it with --dir';
const UNDER_WAY = 'ERR Background save already in progress';
const BESIDE_REWRITE =
  "ERR Another child process is active (AOF?): can't BGSAVE right now. Use BGSAVE SCHEDULE in order to schedule a BGSAVE whenever possible.";
const REWRITE_UNDER_WAY = 'ERR Background append only file rewriting already in progress';
const CANNOT_REWRITE =
  "ERR Can't execute an AOF background rewriting. Please check the server logs for more information.";
const SHUTDOWN_FAILED = Buffer.from('-ERR Errors trying to SHUTDOWN. Check logs.\r\n');
const SHUTDOWN_WORDS: ReadonlySet<string> = new Set(['nosave', 'save', 'now', 'force', 'abort']);
const LOADING = errorCatalogue.loading.resp;

/** Why no save can begin; null when one can. */
function refusal({ node: { saves } }: CommandContext): string | null {
  if (!saves.hasData) return LOADING;
  if (saves.path === null) return NO_FOLDER;
  return saves.current === null ? null : UNDER_WAY;
}

function save(context: CommandContext, _args: Args, reply: RespWriter) {
  const problem = refusal(context);
  if (problem !== null) return reply.error(problem);
  const { saves } = context.node;
  if (saves.saveNow(saves.path!)) reply.ok();
  else reply.error('ERR');
}

function saveInBackground(context: CommandContext, args: Args, reply: RespWriter) {
  if (args.count > 2 || (args.count === 2 && !args.equalsIgnoreCase(1, 'SCHEDULE')))
    return reply.error(SYNTAX_ERROR);
  const problem = refusal(context);
  if (problem !== null) return reply.error(problem);
  const { saves, aof } = context.node;
  const isExecuting = context.client.isExecuting;
  if (aof.isRewriting && args.count === 1 && !isExecuting) return reply.error(BESIDE_REWRITE);
  if (aof.isRewriting || isExecuting) {
    saves.isScheduled = true;
    return reply.simple('Background saving scheduled');
  }
  saves.begin(saves.path!);
  reply.simple('Background saving started');
}

/** BGREWRITEAOF: also where nothing is appended, as in Redis; then what is left is a base alone. */
function rewriteAppendOnlyFile({ node, client }: CommandContext, _args: Args, reply: RespWriter) {
  const { saves, aof } = node;
  if (!saves.hasData) return reply.error(LOADING);
  if (saves.path === null) return reply.error(NO_FOLDER);
  if (aof.isRewriting) return reply.error(REWRITE_UNDER_WAY);
  if (saves.current !== null || client.isExecuting) {
    aof.isScheduled = true;
    aof.failures = 0;
    return reply.simple('Background append only file rewriting scheduled');
  }
  if (!aof.canRewrite) return reply.error(CANNOT_REWRITE);
  aof.rewrite();
  reply.simple('Background append only file rewriting started');
}

function lastSave({ node }: CommandContext, _args: Args, reply: RespWriter) {
  reply.integer(Math.floor(node.saves.lastSaveMs / 1000));
}

/** Ends the node, as `Shutdown` does; who asks is answered only when it does not end. */
function shutdown({ node, client }: CommandContext, args: Args, reply: RespWriter) {
  const words = new Set<string>();
  for (let i = 1; i < args.count; i++) words.add(args.latin1(i).toLowerCase());
  const isUnknown = [...words].some((word) => !SHUTDOWN_WORDS.has(word));
  const isContrary = (words.has('save') && words.has('nosave')) || (words.has('abort') && words.size > 1);
  if (isUnknown || isContrary) return reply.error(SYNTAX_ERROR);
  if (words.has('abort')) {
    if (node.shutdown.abort()) reply.ok();
    else reply.error('ERR No shutdown in progress.');
    return;
  }
  node.blocked.add(client, { kind: 'shutdown', deadlineMs: Number.POSITIVE_INFINITY, muted: false });
  void node.shutdown.begin(shutdownHow(words)).then((ends) => {
    if (ends) return;
    node.blocked.remove(client);
    node.clients.get(client.id)?.answer(SHUTDOWN_FAILED, null);
  });
}

/** Commands about files. */
export const persistenceCommands: CommandHandlers = {
  SAVE: save,
  BGSAVE: saveInBackground,
  BGREWRITEAOF: rewriteAppendOnlyFile,
  LASTSAVE: lastSave,
  SHUTDOWN: shutdown,
};
