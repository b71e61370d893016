import type { Handler } from './context.ts';

/** Reads of several keys whose parts are fetched and put together here, by upper-case name. */
export const gatherHandlers: Readonly<Record<string, Handler>> = {};
