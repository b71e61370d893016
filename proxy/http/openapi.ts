import type { FastifyInstance } from 'fastify';
import { RINGSIDE_VERSION } from '../version.ts';
import type { HttpHandler } from './context.ts';
import { sendJson } from './reply.ts';
import { errorSchema } from './schemas.ts';

const DESCRIPTION =
  'Keys and values, the same data as over RESP and gRPC. Keys are any bytes, percent-encoded into one path segment. Errors are `{error: {code, message}}`; the codes are stable.';

/** Where the document is. */
export const OPENAPI_URL = '/v1/openapi.json';

interface Document {
  paths?: Record<string, Record<string, { requestBody?: { required?: boolean } }>>;
}

/** Has an OpenAPI 3.1 document made of the schemas of the routes that are registered from here on. */
export async function registerOpenApi(app: FastifyInstance): Promise<void> {
  const { default: swagger } = await import('@fastify/swagger');
  app.addSchema(errorSchema);
  await app.register(swagger, {
    exposeHeadRoutes: true,
    refResolver: { buildLocalReference: ({ $id }) => String($id) },
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Ringside', version: RINGSIDE_VERSION, description: DESCRIPTION },
      components: { securitySchemes: { password: { type: 'http', scheme: 'bearer' } } },
      security: [{}, { password: [] }],
    },
    // Keys are taken out of the URL before it is routed.
    transform: ({ schema, url, route }) => {
      const { documentedUrl } = (route.config ?? {}) as { documentedUrl?: string };
      return { schema, url: documentedUrl ?? url };
    },
    transformObject: (given) => {
      const document = 'openapiObject' in given ? given.openapiObject : {};
      allowNoBody((document as Document).paths);
      return document;
    },
  });
}

/** Without a body, a PUT writes nothing and an incr adds 1. */
function allowNoBody(paths: Document['paths'] = {}): void {
  for (const path of ['/v1/key/{key}', '/v1/key/{key}/incr'])
    for (const { requestBody } of Object.values(paths[path] ?? {}))
      if (requestBody !== undefined) requestBody.required = false;
}

/** `GET /v1/openapi.json`. */
export function openApiHandler(app: FastifyInstance): HttpHandler {
  return async (_request, response) => sendJson(response, 200, app.swagger());
}
