/** What stands before a value and says how it is encoded; the numbers are Redis's. */
export const RDB_STRING = 0;
export const RDB_LIST = 1;
export const RDB_SET = 2;
export const RDB_ZSET = 3;
export const RDB_HASH = 4;
export const RDB_ZSET_2 = 5;
export const RDB_HASH_ZIPMAP = 9;
export const RDB_LIST_ZIPLIST = 10;
export const RDB_SET_INTSET = 11;
export const RDB_ZSET_ZIPLIST = 12;
export const RDB_HASH_ZIPLIST = 13;
export const RDB_LIST_QUICKLIST = 14;
export const RDB_HASH_LISTPACK = 16;
export const RDB_ZSET_LISTPACK = 17;
export const RDB_LIST_QUICKLIST_2 = 18;

/** Types that Redis 7.0 writes and that no node holds: by number, what it calls them. */
export const foreignTypes: ReadonlyMap<number, string> = new Map([
  [6, 'module'],
  [7, 'module'],
  [15, 'stream'],
  [19, 'stream'],
  [21, 'stream'],
]);

/* What stands in a file in place of a type. */
export const OPCODE_FUNCTION = 245;
export const OPCODE_FUNCTION_PRE_GA = 246;
export const OPCODE_MODULE_AUX = 247;
export const OPCODE_IDLE = 248;
export const OPCODE_FREQUENCY = 249;
export const OPCODE_AUX = 250;
export const OPCODE_RESIZE = 251;
export const OPCODE_EXPIRY_MS = 252;
export const OPCODE_EXPIRY = 253;
export const OPCODE_SELECT = 254;
export const OPCODE_END = 255;

/** The version of the format, that of Redis 7.0. Newer ones are refused. */
export const RDB_VERSION = 10;

/** Nodes of a quicklist: one element as it is, or a listpack. */
export const NODE_PLAIN = 1;
export const NODE_PACKED = 2;

/** Instead of a length: a string in one of these encodings follows. */
export const ENCODED_INT8 = 0xc0;
export const ENCODED_INT16 = 0xc1;
export const ENCODED_INT32 = 0xc2;
export const ENCODED_LZF = 0xc3;
