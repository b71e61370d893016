import { clientCommands } from './client.ts';
import type { CommandHandlers } from './command.ts';
import { configCommands } from './config.ts';
import { connectionCommands } from './connection.ts';
import { expiryCommands } from './expiry.ts';
import { keyCommands } from './keys.ts';
import { numberCommands } from './numbers.ts';
import { replicationCommands } from './replication.ts';
import { serverCommands } from './server.ts';
import { stringCommands } from './strings.ts';

/** All commands this node answers, by upper-case name (`CLIENT|ID` for a subcommand). */
export const handlers: CommandHandlers = Object.freeze({
  ...stringCommands,
  ...numberCommands,
  ...keyCommands,
  ...expiryCommands,
  ...connectionCommands,
  ...clientCommands,
  ...configCommands,
  ...serverCommands,
  ...replicationCommands,
});
