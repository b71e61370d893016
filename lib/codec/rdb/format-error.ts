/** The bytes are no value in an encoding that Redis 7.0 writes or still reads. */
export class RdbFormatError extends Error {
  override readonly name = 'RdbFormatError';
}

/** The bytes end before what they begin: there may be more of them, `missing` at least. */
export class RdbCutOff extends RdbFormatError {
  readonly missing: number;

  constructor(missing: number) {
    super('the value is cut off');
    this.missing = missing;
  }
}
