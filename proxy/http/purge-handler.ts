import { readText } from './body.ts';
import type { HttpContext, HttpHandler } from './context.ts';
import { parsePurge } from './json-requests.ts';
import { sendEmpty } from './reply.ts';

/** `POST /v1/purge` of keys, tags and prefixes: 204 once every shard has purged. */
export function purgeHandler({ api, jsonLimits }: HttpContext): HttpHandler {
  return async (request, response) => {
    await api.purge(parsePurge(await readText(request, response, jsonLimits)));
    sendEmpty(response, 204);
  };
}
