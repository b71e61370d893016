const KEY = '{key}';
const PERCENT = 0x25;
const HEX = Buffer.from('0123456789ABCDEF');

/** 1 where the byte stands for itself in a URL: RFC 3986, unreserved characters. */
const UNRESERVED = new Uint8Array(256);
for (const char of 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~')
  UNRESERVED[char.charCodeAt(0)] = 1;

/** Whether a server might take the key for a step through its folders, however it is written. */
function isStep(key: Buffer): boolean {
  return key.length > 0 && key.length <= 2 && key.every((byte) => byte === 0x2e);
}

/** Where the values of one namespace are fetched from. */
export class OriginUrl {
  /** `http://host:port` or with https. */
  readonly server: string;
  readonly #before: string;
  readonly #behind: string;

  /** `template`: an http or https URL that holds `{key}` once, as the configuration checks it. */
  constructor(template: string) {
    const slash = template.indexOf('/', template.indexOf('//') + 2);
    const at = template.indexOf(KEY);
    this.server = template.slice(0, slash);
    this.#before = template.slice(slash, at);
    this.#behind = template.slice(at + KEY.length);
  }

  /** Path and query for this key, all of its bytes but the unreserved ones as `%XX`; null for `.` and `..`, which name other things. */
  pathOf(key: Buffer): string | null {
    return isStep(key) ? null : this.#before + encoded(key) + this.#behind;
  }
}

function encoded(key: Buffer): string {
  const bytes = Buffer.allocUnsafe(key.length * 3);
  let at = 0;
  for (const byte of key) {
    if (UNRESERVED[byte] === 1) bytes[at++] = byte;
    else {
      bytes[at++] = PERCENT;
      bytes[at++] = HEX[byte >> 4];
      bytes[at++] = HEX[byte & 15];
    }
  }
  return bytes.latin1Slice(0, at);
}
