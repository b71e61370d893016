import { type CommandSpec, type Routing, unknownSubcommandText } from '../../lib/commands/index.ts';
import type { Handler } from './context.ts';
import { onAllShards } from './fan-out-commands.ts';
import { forward } from './forward.ts';

/** Where a key stands behind the word that decides. */
const KEY_AT = 2;

/** A command of which the word behind the name says where it goes (`routingByWord`). */
export function wordHandler(spec: CommandSpec): Handler {
  const byWord = new Map<string, Routing>(Object.entries(spec.routingByWord ?? {}));
  const everywhere = onAllShards(spec);
  return (connection, args, nowMs) => {
    const routing = byWord.get(args.latin1(1).toLowerCase());
    if (routing === 'all') everywhere(connection, args, nowMs);
    else if (routing === 'key' && args.count > KEY_AT)
      forward(connection, args, KEY_AT, KEY_AT, spec.isWrite, nowMs);
    else connection.replyError(unknownSubcommandText(spec, args));
  };
}
