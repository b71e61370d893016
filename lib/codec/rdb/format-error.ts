/** The bytes are no value in an encoding that Redis 7.0 writes or still reads. */
export class RdbFormatError extends Error {
  override readonly name = 'RdbFormatError';
}
