export { AnswerCounter } from './answer-counter.ts';
export { ByteBudget } from './byte-budget.ts';
export { asRingsideError } from './errors.ts';
export { MAX_MULTI_KEYS } from './limits.ts';
export type { ApiListenerDeps, ApiListenerOptions, ListenerHandle } from './options.ts';
export { passwordCheck } from './password.ts';
export { checkPurge, checkTags } from './tags.ts';
