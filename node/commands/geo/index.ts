import type { CommandHandlers } from '../command.ts';
import { positionCommands } from './members.ts';
import { searchCommands } from './search.ts';

/** Commands on places: members of a sorted set whose scores are positions. */
export const geoCommands: CommandHandlers = { ...positionCommands, ...searchCommands };
