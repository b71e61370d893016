/** What is known of a command of the text or the meta protocol. */
export interface MemcachedCommand {
  /** Fewest words after the name. */
  readonly minWords: number;
  /** Which word after the name is the length of the data block that follows; none: no block. */
  readonly lengthWord?: number;
  /** Whether the first word after the name is a key. */
  readonly hasKey: boolean;
}

const withKey = (minWords: number): MemcachedCommand => ({ minWords, hasKey: true });
const plain = (minWords: number): MemcachedCommand => ({ minWords, hasKey: false });
const storage = (minWords: number): MemcachedCommand => ({ minWords, hasKey: true, lengthWord: 3 });

/** Commands by name (https://github.com/memcached/memcached/blob/master/doc/protocol.txt). */
export const memcachedCommands: ReadonlyMap<string, MemcachedCommand> = new Map([
  ['get', withKey(1)],
  ['gets', withKey(1)],
  ['gat', plain(2)],
  ['gats', plain(2)],
  ['set', storage(4)],
  ['add', storage(4)],
  ['replace', storage(4)],
  ['append', storage(4)],
  ['prepend', storage(4)],
  ['cas', storage(5)],
  ['delete', withKey(1)],
  ['incr', withKey(2)],
  ['decr', withKey(2)],
  ['touch', withKey(2)],
  ['flush_all', plain(0)],
  ['stats', plain(0)],
  ['verbosity', plain(1)],
  ['version', plain(0)],
  ['quit', plain(0)],
  ['mg', withKey(1)],
  ['ms', { minWords: 2, hasKey: true, lengthWord: 1 }],
  ['md', withKey(1)],
  ['ma', withKey(1)],
  ['me', withKey(1)],
  ['mn', plain(0)],
]);
