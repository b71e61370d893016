import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import { sizeInBytes } from '../base/index.ts';
import { ownKeywords } from './option.ts';
import { childOption, configSchema, type Option, optionAt, type Path } from './schema.ts';
import { type ConfigSource, unknownKeyOf } from './source.ts';

let compiled: ValidateFunction | undefined;

function validator(): ValidateFunction {
  if (compiled) return compiled;
  // Every process compiles the schema at its start: no meta-schema (a test checks it) and no optimizer halve the time.
  const speed = { meta: false, validateSchema: false, code: { optimize: false } };
  const ajv = new Ajv({ allErrors: true, strict: true, verbose: true, ...speed });
  ajv.addVocabulary(ownKeywords.filter((keyword) => keyword !== 'kind'));
  ajv.addKeyword({
    keyword: 'kind',
    validate: (kind: string, value: unknown, option?: Option) =>
      kind !== 'size' || typeof value !== 'string' || isSizeWithin(value, option!),
  });
  compiled = ajv.compile(configSchema);
  return compiled;
}

function isSizeWithin(value: string, option: Option): boolean {
  const bytes = sizeInBytes(value);
  const { minimum = 0, maximum = Number.MAX_SAFE_INTEGER } = option.anyOf?.[0] ?? {};
  return bytes >= minimum && bytes <= maximum;
}

/** Reports everything in `settings` (those of `source`) that the schema does not allow: one error per option. */
export function checkSchema(settings: unknown, source: ConfigSource): void {
  const validate = validator();
  if (validate(settings)) return;
  const seen = new Set<string>();
  const errors = validate.errors ?? [];
  for (const error of errors) {
    if (isAroundAnother(error, errors)) continue;
    const path = pathOf(error, settings);
    const key = path.join('.');
    if (seen.has(key)) continue;
    seen.add(key);
    source.report(path, messageFor(error, path));
  }
}

/** An option with alternatives got the group it may be, and something inside the group is wrong: then that is the mistake. */
function isAroundAnother(
  { instancePath, data, keyword }: ErrorObject,
  errors: readonly ErrorObject[],
): boolean {
  if (keyword !== 'type' && keyword !== 'anyOf') return false;
  const option = optionAt(instancePath.split('/').slice(1).map(unescapePointer));
  if (option?.anyOf === undefined || typeof data !== 'object') return false;
  return errors.some((other) => other.instancePath.startsWith(`${instancePath}/`));
}

/** The option that an error is about: the unknown or missing key rather than the group around it. */
function pathOf(error: ErrorObject, settings: unknown): Path {
  const path = error.instancePath.split('/').slice(1).map(unescapePointer);
  if (error.keyword === 'additionalProperties') return [...path, String(error.params.additionalProperty)];
  if (error.keyword === 'required') return [...path, String(error.params.missingProperty)];
  // Of an option with alternatives, where a group was given, the mistake is what is wrong inside the group.
  const option = optionAt(path);
  const given = path.reduce<unknown>((value, key) => (value as Record<string, unknown>)?.[key], settings);
  const inside =
    option?.anyOf && typeof given === 'object' && given !== null ? insideError(option, given) : undefined;
  return inside === undefined ? path : [...path, inside];
}

function insideError(option: Option, given: object): string | undefined {
  const group = option.anyOf?.find((alternative) => alternative.properties);
  const unknown = Object.keys(given).find((key) => !childOption(option, key));
  return unknown ?? group?.required?.find((key) => !Object.hasOwn(given, key));
}

function messageFor(error: ErrorObject, path: Path): string {
  const name = path.join('.');
  const unknown = unknownKeyOf(path);
  if (unknown) return unknown;
  if (error.keyword === 'required') return `\`${name}\` is missing: it has no default`;
  const option = optionAt(path);
  if (error.keyword === 'anyOf' && option?.anyOf === undefined)
    return `\`${name}\` is missing: it has no default`;
  if (error.keyword === 'maxLength') return `\`${name}\` is longer than ${error.params.limit} characters`;
  const hidden = error.data === undefined || option?.unit === 'secret';
  const given = hidden ? '' : `, not ${show(error.data)}`;
  return `\`${name || 'the configuration'}\` must be ${option?.expects ?? error.message}${given}`;
}

function show(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object' && value !== null) return 'a group';
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

function unescapePointer(token: string): string {
  return token.replaceAll('~1', '/').replaceAll('~0', '~');
}
