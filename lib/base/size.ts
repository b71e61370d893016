/** What a size looks like when it carries a unit. */
export const SIZE_PATTERN = '^[0-9]+(?:[bB]|[kKmMgG][bB]?)?$';

const SIZE_UNITS: Record<string, number> = {
  '': 1,
  b: 1,
  k: 1000,
  kb: 1024,
  m: 1000 ** 2,
  mb: 1024 ** 2,
  g: 1000 ** 3,
  gb: 1024 ** 3,
};

/** The bytes of a size as text (`64mb`, `1g`, `4096`), by Redis's units. NaN when it is not one. */
export function sizeInBytes(value: string): number {
  if (!new RegExp(SIZE_PATTERN).test(value)) return Number.NaN;
  const digits = Number.parseInt(value, 10);
  return digits * SIZE_UNITS[value.slice(String(value.match(/^[0-9]+/)).length).toLowerCase()];
}
