import type { Random } from '../../../lib/base/index.ts';
import type { Beside } from './crash-folder.ts';

/** Lengths that the journal can have had when a snapshot began. */
export interface Window {
  readonly least: number;
  most: number;
  isDone: boolean;
}

/** Makes one snapshot behind the other, and notes them. */
export function snapshots(windows: Window[], random: Random): Beside {
  return async (control, load) => {
    while (load.isRunning) {
      const window = { least: load.lastPosition, most: Number.POSITIVE_INFINITY, isDone: false };
      windows.push(window);
      const isNow = random.int(5) === 0;
      const reply = await control.text(isNow ? 'SAVE' : 'BGSAVE');
      window.most = load.sent;
      if (!/^OK|^Background saving started/.test(reply!)) throw new Error(`BGSAVE: ${reply}`);
      let info = '';
      do info = (await control.text('INFO', 'persistence'))!;
      while (info.includes('rdb_bgsave_in_progress:1'));
      if (!info.includes('rdb_last_bgsave_status:ok')) throw new Error('a snapshot has failed');
      window.isDone = true;
    }
  };
}

/** Whether a journal of that length is of one of the snapshots that may be there: the last that was done, or one begun since. */
export function isOneOf(windows: readonly Window[], length: number): boolean {
  const lastDone = windows.findLastIndex(({ isDone }) => isDone);
  return windows.slice(lastDone).some(({ least, most }) => length >= least && length <= most);
}
