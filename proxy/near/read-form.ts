import { replyLineEnd, replyNumber } from '../../lib/codec/resp/index.ts';

/** The commands that a near cache can answer. */
export const Form = {
  NONE: 0,
  /** GET key */
  GET: 1,
  /** MGET key, RS.MCGET key: an array of one. */
  MGET: 2,
  MCGET: 3,
  MCGETS: 4,
  /** RS.MCMETA key, without options. */
  MCMETA: 5,
  /** RS.GET key TAIL */
  RS_GET: 6,
  /** RS.MGET key: an array of one. */
  RS_MGET: 7,
} as const;
export type Form = (typeof Form)[keyof typeof Form];

const DOLLAR = 0x24;
const CR = 0x0d;
const ZERO = 0x30;
const LETTER_MASK = 0xdf;

interface Named {
  readonly name: Buffer;
  readonly form: Form;
}

const named = (name: string, form: Form): Named => ({
  name: Buffer.from(name).map((byte) => byte & LETTER_MASK) as Buffer,
  form,
});
/** Those of two arguments, and of three. */
const TWO: readonly Named[] = [
  named('GET', Form.GET),
  named('MGET', Form.MGET),
  named('RS.MGET', Form.RS_MGET),
  named('RS.MCGET', Form.MCGET),
  named('RS.MCGETS', Form.MCGETS),
  named('RS.MCMETA', Form.MCMETA),
];
const THREE: readonly Named[] = [named('RS.GET', Form.RS_GET)];
const TAIL = Buffer.from('$4\r\nTAIL\r\n');
/** Where the name begins in a frame whose first two lines have one digit each. */
const NAME_AT = 8;

/** Recognizes a read of one key by its frame. Reused: valid until the next `recognize`. */
export class ReadForm {
  form: Form = Form.NONE;
  /** Where the key lies in the frame's buffer. */
  keyStart = 0;
  keyEnd = 0;

  /** Whether the command `bytes[start, end)` (encoded, whole) is such a read. */
  recognize(bytes: Buffer, start: number, end: number): boolean {
    this.form = Form.NONE;
    if (bytes[start + 2] !== CR || bytes[start + 6] !== CR) return false;
    const forms = bytes[start + 1] === ZERO + 2 ? TWO : bytes[start + 1] === ZERO + 3 ? THREE : null;
    if (forms === null) return false;
    const length = bytes[start + 5] - ZERO;
    const form = formNamed(forms, bytes, start + NAME_AT, length);
    if (form === Form.NONE) return false;
    const keyAt = start + NAME_AT + length + 2;
    this.keyStart = replyLineEnd(bytes, keyAt);
    this.keyEnd = this.keyStart + replyNumber(bytes, keyAt);
    if (bytes[keyAt] !== DOLLAR || (form === Form.RS_GET && !isTail(bytes, this.keyEnd + 2, end)))
      return false;
    this.form = form;
    return true;
  }
}

function formNamed(forms: readonly Named[], bytes: Buffer, start: number, length: number): Form {
  for (let i = 0; i < forms.length; i++) {
    const { name, form } = forms[i];
    if (name.length === length && isName(name, bytes, start)) return form;
  }
  return Form.NONE;
}

function isName(name: Buffer, bytes: Buffer, start: number): boolean {
  for (let i = 0; i < name.length; i++) if ((bytes[start + i] & LETTER_MASK) !== name[i]) return false;
  return true;
}

function isTail(bytes: Buffer, start: number, end: number): boolean {
  return end - start === TAIL.length && bytes.compare(TAIL, 0, TAIL.length, start, end) === 0;
}
