export { AnswerCounter } from './answer-counter.ts';
export { ByteBudget } from './byte-budget.ts';
export { asRingsideError } from './errors.ts';
export { MAX_MULTI_KEYS, MAX_PURGED_PREFIXES } from './limits.ts';
export type { ApiListenerDeps, ApiListenerOptions, ListenerHandle } from './options.ts';
export { type Login, passwordCheck } from './password.ts';
export { checkPurge, checkTags } from './tags.ts';
