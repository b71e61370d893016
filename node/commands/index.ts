import { bitFieldCommands } from './bitfield.ts';
import { bitmapCommands } from './bitmaps.ts';
import { clientCommands } from './client.ts';
import type { CommandHandlers } from './command.ts';
import { configCommands } from './config.ts';
import { connectionCommands } from './connection.ts';
import { expiryCommands } from './expiry.ts';
import { keyCommands } from './keys.ts';
import { lcsCommands } from './lcs.ts';
import { numberCommands } from './numbers.ts';
import { replicationCommands } from './replication.ts';
import { serverCommands } from './server.ts';
import { stringRangeCommands } from './string-ranges.ts';
import { stringCommands } from './strings.ts';

/** All commands this node answers, by upper-case name (`CLIENT|ID` for a subcommand). */
export const handlers: CommandHandlers = Object.freeze({
  ...stringCommands,
  ...stringRangeCommands,
  ...numberCommands,
  ...lcsCommands,
  ...bitmapCommands,
  ...bitFieldCommands,
  ...keyCommands,
  ...expiryCommands,
  ...connectionCommands,
  ...clientCommands,
  ...configCommands,
  ...serverCommands,
  ...replicationCommands,
});
