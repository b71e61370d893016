export { startGrpcListener } from './listener.ts';
