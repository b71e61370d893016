import { Metadata, type StatusObject, type status } from '@grpc/grpc-js';
import { errorCatalogue, type RingsideError } from '../../lib/base/index.ts';

const DOMAIN = 'ringside';
const ERROR_INFO = 'type.googleapis.com/google.rpc.ErrorInfo';

/**
 * An error as a gRPC status: the catalogue's number, and its code twice: plain in the metadata `ringside-code`, and as the reason
 * of a google.rpc.ErrorInfo in `grpc-status-details-bin` (https://google.aip.dev/193).
 */
export function statusOf(error: RingsideError): StatusObject {
  const { grpc: code, httpCode } = errorCatalogue[error.code];
  // grpc-js percent-encodes the text, which fails on half a surrogate pair.
  const details = error.message.toWellFormed();
  const metadata = new Metadata();
  metadata.set('ringside-code', httpCode);
  metadata.set('grpc-status-details-bin', encodeRpcStatus(code, details, httpCode));
  return { code, details, metadata };
}

function encodeRpcStatus(code: status, message: string, reason: string): Buffer {
  const errorInfo = Buffer.concat([field(1, reason), field(2, DOMAIN)]);
  const any = Buffer.concat([field(1, ERROR_INFO), field(2, errorInfo)]);
  // Field 1 is a varint, and every status number is below 128.
  return Buffer.concat([Buffer.from([1 << 3, code]), field(2, message), field(3, any)]);
}

/** A length-delimited field of the protobuf wire format. */
function field(number: number, content: string | Buffer): Buffer {
  const bytes = Buffer.from(content);
  return Buffer.concat([Buffer.from([(number << 3) | 2, ...varint(bytes.length)]), bytes]);
}

function varint(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(value >>> 7)];
}
