export { grpcChannelCredentials } from './credentials.ts';
export { type DuplexTarget, duplexOpener } from './duplex.ts';
export {
  type ResubscribeOptions,
  type ResubscribingStream,
  resubscribingStream,
  type StreamAttempt,
} from './resubscribing-stream.ts';
export { listenGrpc } from './server.ts';
