import type { CommandHandlers } from '../command.ts';
import { fieldCommands } from './fields.ts';
import { hashNumberCommands } from './numbers.ts';
import { randomFieldCommands } from './random-fields.ts';
import { hashScanCommands } from './scan.ts';

/** All commands on hashes. */
export const hashCommands: CommandHandlers = {
  ...fieldCommands,
  ...hashNumberCommands,
  ...randomFieldCommands,
  ...hashScanCommands,
};
