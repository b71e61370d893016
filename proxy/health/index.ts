export { type BreakerOptions, type BreakerState, CircuitBreaker, REFUSED } from './circuit-breaker.ts';
export { RollingCounts } from './rolling-counts.ts';
