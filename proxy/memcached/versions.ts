/** The version of memcached that clients are to take this for: many of them look at it before they use a command. */
export const SPOKEN_VERSION = '1.6.18';
/** As the nodes are told: no version is asked for. */
export const ANY_VERSION = '0';
/** A version that no item has. A client that names 0 gets it: memcached finds no item equal to that. */
export const NO_VERSION = '18446744073709551615';
