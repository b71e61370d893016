export { NearCache, type NearState } from './near-cache.ts';
export { type NamespaceFigures, summed } from './near-figures.ts';
export { type Flight, SingleFlight } from './single-flight.ts';
