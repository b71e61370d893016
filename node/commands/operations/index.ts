import type { CommandHandlers } from '../command.ts';
import { aclCommands } from './acl.ts';
import { latencyCommands } from './latency.ts';
import { memoryCommands } from './memory.ts';
import { monitorCommands } from './monitor.ts';
import { slowLogCommands } from './slow-log.ts';

/** Commands by which people look after a node. */
export const operationsCommands: CommandHandlers = {
  ...slowLogCommands,
  ...latencyCommands,
  ...memoryCommands,
  ...aclCommands,
  ...monitorCommands,
};
