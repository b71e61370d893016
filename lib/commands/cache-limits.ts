/** Most tags of one key, and of one `RS.PURGE TAG`. */
export const MAX_TAGS = 64;
export const MAX_PURGED_TAGS = 1000;
/** The longest tag, in bytes; the shortest has one. */
export const MAX_TAG_BYTES = 512;
/** Longest name of a fence, in bytes; the shortest has one. */
export const MAX_FENCE_NAME_BYTES = 512;

/** Bits of what `RS.MCMETA` says of an item. */
export const MetaState = {
  /** There is a value. */
  HIT: 1,
  /** It is past its soft expiry. */
  STALE: 2,
  /** The caller is the one to fill or refresh the key. */
  WON: 4,
  /** Somebody else is. */
  SENT: 8,
  /** It was read before, as far as that is known. */
  READ: 16,
} as const;
