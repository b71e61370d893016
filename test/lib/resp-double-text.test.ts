import t from 'tap';
import { formatDouble, formatFixed } from '../../lib/codec/resp/index.ts';
import { fc } from '../support/fast-check.ts';

t.test('17 significant digits, as C prints %.17g', async (t) => {
  const cases: [number, string][] = [
    [0, '0'],
    [-0, '-0'],
    [3, '3'],
    [-2147483648, '-2147483648'],
    [0.1, '0.10000000000000001'],
    [1.1, '1.1000000000000001'],
    [-1.5, '-1.5'],
    [100.25, '100.25'],
    [1e16, '10000000000000000'],
    [1e17, '1e+17'],
    [123456789012345680, '1.2345678901234568e+17'],
    [1e-4, '0.0001'],
    [1e-5, '1.0000000000000001e-05'],
    [5e-324, '4.9406564584124654e-324'],
    [Number.MAX_VALUE, '1.7976931348623157e+308'],
    // 18 digits that end in 5: a tie, which goes to the even digit.
    [131073 / 131072, '1.0000076293945312'],
    [131075 / 131072, '1.0000228881835938'],
    [Infinity, 'inf'],
    [-Infinity, '-inf'],
  ];
  for (const [value, text] of cases) t.equal(formatDouble(value), text);
  fc.assert(
    fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) =>
      Object.is(Number(formatDouble(value)), value),
    ),
  );
});

t.test('a fixed number of decimals, as C prints %.Nf', async (t) => {
  const cases: [number, number, string][] = [
    [200, 6, '200.000000'],
    [-0.5, 6, '-0.500000'],
    [181.0078125, 6, '181.007812'],
    [181.0234375, 6, '181.023438'],
    [1e22, 2, '10000000000000000000000.00'],
    [0.1, 17, '0.10000000000000001'],
    [Infinity, 6, 'inf'],
    [Number.NaN, 6, 'nan'],
  ];
  for (const [value, decimals, text] of cases) t.equal(formatFixed(value, decimals), text);
});
