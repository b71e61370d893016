import type { RespWriter } from '../../../lib/codec/resp/index.ts';

const BIG_NUMBER = 1234567999999999999999999999999999999n;

type Sample = (reply: RespWriter) => void;

/** A reply of each kind, with the content that Redis gives them. */
const samples: Readonly<Record<string, Sample>> = {
  STRING: (reply) => reply.bulkLatin1('Hello World'),
  INTEGER: (reply) => reply.integer(12345),
  DOUBLE: (reply) => reply.double(3141 / 1000),
  BIGNUM: (reply) => reply.bigNumber(BIG_NUMBER),
  NULL: (reply) => reply.nullBulk(),
  ARRAY: (reply) => {
    reply.arrayHeader(3);
    for (let i = 0; i < 3; i++) reply.integer(i);
  },
  SET: (reply) => {
    reply.setHeader(3);
    for (let i = 0; i < 3; i++) reply.integer(i);
  },
  MAP: (reply) => {
    reply.mapHeader(3);
    for (let i = 0; i < 3; i++) {
      reply.integer(i);
      reply.boolean(i === 1);
    }
  },
  ATTRIB: attributed,
  PUSH: pushed,
  TRUE: (reply) => reply.boolean(true),
  FALSE: (reply) => reply.boolean(false),
  VERBATIM: (reply) => reply.verbatim('txt', 'This is a verbatim\nstring'),
};

function attributed(reply: RespWriter): void {
  if (reply.protocol === 3) {
    reply.attributeHeader(1);
    reply.bulkLatin1('key-popularity');
    reply.arrayHeader(2);
    reply.bulkLatin1('key:123');
    reply.integer(90);
  }
  reply.bulkLatin1('Some real reply following the attribute');
}

function pushed(reply: RespWriter) {
  if (reply.protocol === 2) return reply.error('ERR RESP2 is not supported by this command');
  reply.pushHeader(2);
  reply.bulkLatin1('server-cpu-usage');
  reply.integer(42);
  reply.bulkLatin1('Some real reply following the push reply');
}

/** Replies with a value of the kind that is named, in upper case. */
export function replySample(kind: string, reply: RespWriter) {
  const sample = Object.hasOwn(samples, kind) ? samples[kind] : undefined;
  if (sample !== undefined) return sample(reply);
  const kinds = 'string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false';
  reply.error(`ERR Wrong protocol type name. Please use one of the following: ${kinds}`);
}
