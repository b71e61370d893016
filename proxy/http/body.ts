import type { IncomingMessage, ServerResponse } from 'node:http';
import { RingsideError } from '../../lib/base/index.ts';
import type { ByteBudget } from '../listener/index.ts';
import { PieceCollector } from './pieces.ts';

/** A whole request body. Its bytes count against the budget until `release`. */
export interface Body {
  readonly pieces: readonly Buffer[];
  release(): void;
}

/** Bounds of one body. */
export interface BodyLimits {
  readonly maxBytes: number;
  /** What decides `maxBytes`, for the error's text. */
  readonly limit: string;
  readonly budget: ByteBudget;
}

/**
 * Reads the body of a request, with or without a length.
 *
 * Rejects with RingsideError `too_large` as soon as the body is known to be longer than `maxBytes` (at the declared length, else
 * at the byte beyond; the rest is not read), `overloaded` when the budget is used up, and `bad_request` when the client went away.
 */
export function readBody(
  request: IncomingMessage,
  response: ServerResponse,
  limits: BodyLimits,
): Promise<Body> {
  const declared = Number(request.headers['content-length'] ?? 0);
  if (declared > limits.maxBytes) return Promise.reject(tooLarge(limits));
  if (expectsContinue(request)) response.writeContinue();
  return new Promise((resolve, reject) => {
    const { budget, maxBytes } = limits;
    const collector = new PieceCollector(declared);
    const release = () => budget.give(collector.bytes);
    const stop = (error: RingsideError) => {
      request.off('data', onData).off('end', onEnd).off('close', onClose).pause();
      release();
      reject(error);
    };
    const onData = (chunk: Buffer) => {
      if (collector.bytes + chunk.length > maxBytes) return stop(tooLarge(limits));
      if (!budget.take(chunk.length)) return stop(budget.exceeded());
      collector.add(chunk);
    };
    const onEnd = () => {
      request.off('close', onClose);
      resolve({ pieces: collector.finish(), release });
    };
    const onClose = () => stop(new RingsideError('bad_request', 'the body ended early'));
    request.on('data', onData).on('end', onEnd).on('close', onClose);
  });
}

/** Reads a body that is parsed; empty when there is none. Rejects as `readBody`. */
export async function readText(
  request: IncomingMessage,
  response: ServerResponse,
  limits: BodyLimits,
): Promise<Buffer> {
  const body = await readBody(request, response, limits);
  body.release();
  return Buffer.concat(body.pieces);
}

/** Whether the client waits for `100 Continue` before it sends the body. */
export function expectsContinue(request: IncomingMessage): boolean {
  return request.headers.expect?.toLowerCase() === '100-continue';
}

function tooLarge({ maxBytes, limit }: BodyLimits): RingsideError {
  return new RingsideError('too_large', `the body is longer than ${maxBytes} bytes (${limit})`);
}
