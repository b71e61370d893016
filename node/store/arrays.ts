/** A typed array like `array` with `length` elements: the old ones, then zeros. */
export function grown<T extends Int32Array | Uint32Array | Float64Array>(array: T, length: number): T {
  const larger = new (array.constructor as new (length: number) => T)(length);
  larger.set(array);
  return larger;
}
