export { estimate, REGISTERS } from './estimate.ts';
export {
  countOfRegisters,
  DENSE,
  DENSE_BYTES,
  FORM_AT,
  forEachRun,
  HEADER_BYTES,
  isHyperLogLog,
  MAGIC,
  mergeRegisters,
  REGISTER_BITS,
  REGISTER_MAX,
  SPARSE,
} from './registers.ts';
export { MAX_RUN_VALUE, mergeRuns, placeRuns, run, splitRun, writeZeros } from './sparse.ts';
