import type { TObject, TSchema } from '@sinclair/typebox';
import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import { RingsideError } from '../../lib/base/index.ts';

/** Returns nothing for what is as its schema says; throws RingsideError `bad_request` that names what is not. */
export type Check = (value: unknown) => void;

const ajv = new Ajv({ strict: false, verbose: true });

/** A check of a parsed body. */
export function bodyCheck(schema: TObject): Check {
  const known = Object.keys(schema.properties).join(', ');
  return check(schema, (error) => {
    if (error.keyword === 'additionalProperties')
      return `unknown member ${JSON.stringify(error.params.additionalProperty)}; known: ${known}`;
    if (error.keyword === 'required') return `\`${error.params.missingProperty}\` is missing`;
    const [, name, index] = error.instancePath.split('/');
    if (name === undefined) return `the body is not ${expectedBy(error)}`;
    return `\`${name}${index === undefined ? '' : `[${index}]`}\` is not ${expectedBy(error)}`;
  });
}

/** A check of what has names by itself: headers, or parameters of the URL. `spell` gives a name as people write it. */
export function namedCheck(schema: TObject, spell: (name: string) => string = String): Check {
  return check(schema, (error) => `${spell(error.instancePath.slice(1))} is not ${expectedBy(error)}`);
}

function check(schema: TSchema, describe: (error: ErrorObject) => string): Check {
  let validate: ValidateFunction | undefined;
  return (value) => {
    validate ??= ajv.compile(schema);
    if (validate(value)) return;
    // Of a choice, the last error is about the choice itself.
    throw new RingsideError('bad_request', describe(validate.errors!.at(-1)!));
  };
}

function expectedBy({ parentSchema }: ErrorObject): string {
  return String(parentSchema?.['x-expects'] ?? 'as it should be');
}
