export { AnswerCounter } from './answer-counter.ts';
export { ByteBudget } from './byte-budget.ts';
export { ClientConnection, type ClientLimits } from './client-connection.ts';
export { asRingsideError } from './errors.ts';
export { closeLate } from './late-clients.ts';
export { MAX_MULTI_KEYS, MAX_PURGED_PREFIXES, TOO_MANY_CONNECTIONS } from './limits.ts';
export type { ApiListenerDeps, ApiListenerOptions, ListenerHandle } from './options.ts';
export { type Login, passwordCheck } from './password.ts';
export { checkPurge, checkTags } from './tags.ts';
