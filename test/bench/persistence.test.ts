import t from 'tap';
import { allowTime } from '../support/allow-time.ts';
import { benchRows, needsRedis } from '../support/bench-rows.ts';

/* `npm run bench` of files and of what they cost. */

allowTime(t, 900_000);

t.test('persistence beside redis-server', needsRedis, async (t) => {
  const found = await benchRows<Record<string, string | number>>('persistence', '--entries', '20000');
  const both = (...what: string[]) =>
    what.flatMap((name) => [`ringside node ${name}`, `redis-server ${name}`]);
  t.strictSame(
    found.map(
      ({ server, policy, pipeline, what, content, fileOf }) =>
        `${server} ${what ?? (content && `${content} of ${fileOf}`) ?? `${policy} ${pipeline}`}`,
    ),
    [
      ...[1, 16].flatMap((depth) => both(`none ${depth}`, `everysec ${depth}`, `always ${depth}`)),
      ...['BGSAVE', 'BGREWRITEAOF'].map((what) => `ringside node ${what}`),
      ...['BGSAVE', 'BGREWRITEAOF'].map((what) => `redis-server ${what}`),
      ...['strings', 'mixed'].flatMap((content) => [
        `ringside node ${content} of ringside node`,
        `ringside node ${content} of redis-server`,
        `redis-server ${content} of redis-server`,
      ]),
    ],
  );
});
