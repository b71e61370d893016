export { NearCache } from './near-cache.ts';
export { mostTelling, type NamespaceFigures, summed } from './near-figures.ts';
export { registerNearMetrics } from './near-metrics.ts';
export { type Flight, SingleFlight } from './single-flight.ts';
