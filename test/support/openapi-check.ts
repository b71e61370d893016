import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';

/** What an HTTP answer holds, as far as a document speaks of it. */
export interface CheckedAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

interface ResponseObject {
  readonly headers?: Record<string, { schema: object }>;
  readonly content?: Record<string, { schema: object }>;
}

interface OperationObject {
  readonly responses: Record<string, ResponseObject>;
}

/** Headers of HTTP itself. */
const GENERAL = new Set([
  'connection',
  'keep-alive',
  'content-type',
  'content-length',
  'date',
  'transfer-encoding',
  'www-authenticate',
  'allow',
]);

/** Holds answers to an OpenAPI 3.1 document: operation, status, headers, content type and body must be in it. */
export class OpenApiCheck {
  readonly #components: unknown;
  readonly #paths: Record<string, Record<string, OperationObject>>;
  readonly #ajv = new Ajv2020({ strict: false });
  readonly #compiled = new Map<object, ValidateFunction>();
  /** What was wrong, one line each. */
  readonly problems: string[] = [];
  /** `METHOD /path STATUS` that came. */
  readonly seen = new Set<string>();

  constructor(document: object) {
    this.#components = (document as { components: unknown }).components;
    this.#paths = (document as { paths: Record<string, Record<string, OperationObject>> }).paths;
  }

  /** `METHOD /path` of every operation. */
  get operations(): string[] {
    return Object.entries(this.#paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
  }

  /** An answer came. Of what is no operation (another path or method) nothing is known. */
  witness(method: string, path: string, answer: CheckedAnswer): void {
    const template = templateOf(path.split('?', 1)[0]);
    const operation = this.#paths[template]?.[method.toLowerCase()];
    if (operation === undefined) return;
    const what = `${method} ${template} ${answer.status}`;
    this.seen.add(what);
    const response = operation.responses[String(answer.status)];
    if (response === undefined) this.problems.push(`${what} is not documented`);
    else this.#check(what, response, answer, method === 'HEAD');
  }

  #check(what: string, response: ResponseObject, { headers, body }: CheckedAnswer, isHead: boolean): void {
    for (const [name, value] of Object.entries(headers)) {
      if (GENERAL.has(name)) continue;
      const schema = response.headers?.[name]?.schema;
      if (schema === undefined) this.problems.push(`${what}: header ${name} is not documented`);
      else this.#validate(`${what}: header ${name}`, schema, value);
    }
    if (isHead) return;
    const [type] = String(headers['content-type'] ?? '').split(';');
    const content = response.content?.[type];
    if (content !== undefined)
      this.#validate(what, content.schema, type === 'application/json' ? JSON.parse(body.toString()) : body);
    else if (response.content !== undefined || body.length > 0)
      this.problems.push(`${what}: body of type ${JSON.stringify(type)} is not documented`);
  }

  #validate(what: string, schema: object, value: unknown): void {
    let validate = this.#compiled.get(schema);
    if (validate === undefined) {
      validate = this.#ajv.compile({ ...schema, components: this.#components });
      this.#compiled.set(schema, validate);
    }
    if (!validate(value)) this.problems.push(`${what}: ${this.#ajv.errorsText(validate.errors)}`);
  }
}

function templateOf(path: string): string {
  const key = /^\/v1\/key\/[^/]+(\/incr)?$/.exec(path);
  return key ? `/v1/key/{key}${key[1] ?? ''}` : path;
}
