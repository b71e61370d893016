import type { CommandHandlers } from '../command.ts';
import { addCommands } from './add.ts';
import { algebraCommands } from './algebra.ts';
import { memberCommands } from './members.ts';
import { popCommands } from './pop.ts';
import { randomCommands } from './random.ts';
import { rangeCommands } from './range.ts';
import { scanCommands } from './scan.ts';

/** Commands on sorted sets. */
export const sortedSetCommands: CommandHandlers = {
  ...addCommands,
  ...memberCommands,
  ...rangeCommands,
  ...popCommands,
  ...algebraCommands,
  ...randomCommands,
  ...scanCommands,
};
