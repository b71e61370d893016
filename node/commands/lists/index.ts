import type { CommandHandlers } from '../command.ts';
import { listElementCommands } from './elements.ts';
import { listPopCommands } from './pops.ts';
import { listPositionCommands } from './positions.ts';
import { listTransferCommands } from './transfers.ts';

/** All commands on lists. */
export const listCommands: CommandHandlers = {
  ...listElementCommands,
  ...listPositionCommands,
  ...listTransferCommands,
  ...listPopCommands,
};
