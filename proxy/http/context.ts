import type { IncomingMessage, ServerResponse } from 'node:http';
import type { CallApi } from '../core/api.ts';
import type { BodyLimits } from './body.ts';
import type { HeldResponses } from './held-responses.ts';

/** What the handlers work with. */
export interface HttpContext {
  readonly api: CallApi;
  readonly held: HeldResponses;
  /** For bodies that are values. */
  readonly bodyLimits: BodyLimits;
  /** For bodies that are parsed. */
  readonly jsonLimits: BodyLimits;
}

/** Parameters of the URL behind `?`. */
export type Query = Readonly<Record<string, string | readonly string[] | undefined>>;

/** Answers one request, whose headers and query are as its schema says; a RingsideError it rejects with becomes the answer. */
export type HttpHandler = (request: IncomingMessage, response: ServerResponse, query: Query) => Promise<void>;
