/** Most tags of one key, and of one `RS.PURGE TAG`. */
export const MAX_TAGS = 64;
export const MAX_PURGED_TAGS = 1000;
/** The longest tag, in bytes; the shortest has one. */
export const MAX_TAG_BYTES = 512;
