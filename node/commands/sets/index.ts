import type { CommandHandlers } from '../command.ts';
import { setAlgebraCommands } from './algebra.ts';
import { memberCommands } from './members.ts';
import { randomMemberCommands } from './random-members.ts';
import { setScanCommands } from './scan.ts';

/** All commands on sets. */
export const setCommands: CommandHandlers = {
  ...memberCommands,
  ...setAlgebraCommands,
  ...randomMemberCommands,
  ...setScanCommands,
};
