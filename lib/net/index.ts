export { type Address, formatAddress, parseAddress } from './address.ts';
export { AtomicFile } from './atomic-file.ts';
export { type BackoffOptions, BackoffPolicy } from './backoff.ts';
export { type ConnectOptions, connectSocket, openSocket } from './connect.ts';
export { FileReplacement, replaceFileSync } from './file-replacement.ts';
export {
  createHttpServer,
  type HttpServer,
  type HttpServerOptions,
  overloadedAnswer,
} from './http-server.ts';
export { createLineLog, type LineLog } from './line-log.ts';
export { createLogger, type LoggerOptions } from './logger.ts';
export { errorCode } from './node-error.ts';
export { firstNameOf, type Peer, type RefusalReason } from './peer.ts';
export { Pool, type PoolOptions } from './pool.ts';
export { claimPort, type PortClaim } from './port-claim.ts';
export { recycle, recycleBytes } from './read-memory.ts';
export {
  certificateNameOf,
  createServer,
  type ListeningServer,
  type ListenOptions,
  probePort,
} from './server.ts';
export { readBytes, readRanges, writeBytes, writePieces } from './shared-reads.ts';
export { type LoadTlsOptions, loadTls, type TlsFiles, type TlsMaterial } from './tls-material.ts';
export { unsentBytes } from './unsent-bytes.ts';
