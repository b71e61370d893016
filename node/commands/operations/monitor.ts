import type { Args, RespWriter } from '../../../lib/codec/resp/index.ts';
import { type CommandContext, type CommandHandlers, NOT_AN_INTEGER, SYNTAX_ERROR } from '../command.ts';

const DEFAULT_HOT_KEYS = 10;

/** The lines go through the client's own queue, so that one who does not read them is closed at its output limit. */
function monitor({ client, node: { watch, clients } }: CommandContext, _args: Args, reply: RespWriter) {
  if (!client.mayBlock) return reply.error("ERR MONITOR isn't allowed for DENY BLOCKING client");
  watch.monitors.set(client, (line) => {
    const connected = clients.get(client.id);
    if (connected) connected.push(Buffer.from(`+${line}\r\n`, 'latin1'));
    else watch.monitors.delete(client);
  });
  reply.ok();
}

/** RS.HOTKEYS [COUNT count]: the keys with most commands of late, each with an estimate of how many. */
function hotKeys({ node: { watch } }: CommandContext, args: Args, reply: RespWriter) {
  let count: number | null = DEFAULT_HOT_KEYS;
  if (args.count > 1) {
    if (args.count !== 3 || !args.equalsIgnoreCase(1, 'COUNT')) return reply.error(SYNTAX_ERROR);
    count = args.integer(2);
    if (count === null || count < 0) return reply.error(NOT_AN_INTEGER);
  }
  const found = watch.hotKeys.top(count);
  reply.arrayHeader(found.length);
  for (const { key, count: commands } of found) {
    reply.arrayHeader(2);
    reply.bulkLatin1(key);
    reply.integer(Math.round(commands));
  }
}

/** MONITOR and RS.HOTKEYS. */
export const monitorCommands: CommandHandlers = { MONITOR: monitor, 'RS.HOTKEYS': hotKeys };
