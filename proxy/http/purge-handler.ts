import { readText } from './body.ts';
import { scopeOf } from './call-scope.ts';
import type { HttpContext, HttpHandler } from './context.ts';
import { parsePurge } from './json-requests.ts';
import { sendEmpty } from './reply.ts';

/** `POST /v1/purge` of keys, tags and prefixes: 204 once every shard has purged. */
export function purgeHandler({ api, jsonLimits }: HttpContext): HttpHandler {
  return async (request, response) => {
    const what = parsePurge(await readText(request, response, jsonLimits));
    await api.within(scopeOf(request)).purge(what);
    sendEmpty(response, 204);
  };
}
