import t from 'tap';
import { AclLog, type Catalogue, type User, Users } from '../../lib/acl/index.ts';
import { argsOf } from '../../lib/codec/resp/index.ts';
import {
  aclCategoryNames,
  type CommandSpec,
  commandIdCount,
  commands,
  keysOf,
  lookupCommand,
  lookupCommandPath,
} from '../../lib/commands/index.ts';
import { fc } from '../support/fast-check.ts';

/* Users and what they may do. What Redis answers is in test/node/transcripts/acl.*.txt. */

const catalogue: Catalogue = {
  categories: aclCategoryNames,
  commands,
  size: commandIdCount,
  find: (name) => lookupCommandPath(Buffer.from(name, 'latin1'), 0, name.length),
  keysOf: (command, args, first) => keysOf(command as CommandSpec, args, first),
};

function userWith(...rules: string[]): User {
  const user = new Users(catalogue).prepare('ann', rules, false);
  if (typeof user === 'string') throw new Error(user);
  return user;
}

/** Why the user may not execute the line: the kind and the argument; null when it may. */
function denied(user: User, line: string): string | null {
  const args = argsOf(...line.split(' '));
  const top = lookupCommand(args.buffer, args.start(0), args.end(0))!;
  const sub = top.subcommands.find(({ word }) => word === line.split(' ')[1]?.toUpperCase());
  const denial = user.denies(sub ?? top, args);
  return denial && `${denial.kind} ${denial.argument}`;
}

const everyCommand = commands.flatMap((spec) => [spec, ...spec.subcommands]);

const commandRule = fc.oneof(
  fc
    .tuple(fc.constantFrom('+', '-'), fc.constantFrom(...everyCommand))
    .map(([sign, { name }]) => sign + name),
  fc
    .tuple(fc.constantFrom('+@', '-@'), fc.constantFrom(...aclCategoryNames, 'all'))
    .map((parts) => parts.join('')),
);
const keyRule = fc
  .tuple(fc.constantFrom('~', '%R~', '%W~', '%rw~'), fc.constantFrom('a', 'a*', '?b', '[a-c]*', 'x\\*'))
  .map((parts) => parts.join(''));
const rule = fc.oneof(
  { weight: 4, arbitrary: commandRule },
  { weight: 2, arbitrary: keyRule },
  fc.constantFrom(
    'on',
    'off',
    'nopass',
    'resetpass',
    '>pw',
    '>other',
    'resetkeys',
    'resetchannels',
    '&c*',
    '&d',
  ),
  fc.constantFrom('sanitize-payload', 'skip-sanitize-payload', 'clearselectors', 'reset'),
  fc.array(fc.oneof(commandRule, keyRule), { maxLength: 4 }).map((rules) => `(${rules.join(' ')})`),
);

t.test('what describes a user makes the same user', async (t) => {
  fc.assert(
    fc.property(fc.array(rule, { maxLength: 12 }), (rules) => {
      const user = userWith(...rules);
      const again = userWith('reset', ...user.describe().split(' '));
      const flags = (one: User) => one.flags().filter((flag) => !flag.includes('sanitize'));
      if (
        again.describe().replace(/ (skip-)?sanitize-payload/, '') !==
        user.describe().replace(/ (skip-)?sanitize-payload/, '')
      ) {
        throw new Error(`${user.describe()} became ${again.describe()}`);
      }
      if (String(flags(again)) !== String(flags(user))) throw new Error(`flags of ${user.describe()}`);
      for (const [i, selector] of user.selectors.entries()) {
        for (const spec of everyCommand) {
          if (selector.commands.has(spec) !== again.selectors[i].commands.has(spec)) {
            throw new Error(`${spec.name} by ${user.describe()}`);
          }
        }
      }
    }),
    { numRuns: 300 },
  );
  t.pass('for 300 random users');
});

t.test('rules one after the other do what each says', async (t) => {
  fc.assert(
    fc.property(fc.array(commandRule, { maxLength: 20 }), (rules) => {
      const allowed = new Set<string>();
      for (const one of rules) {
        const name = one.slice(1);
        for (const spec of everyCommand) {
          const isMeant =
            name === '@all' ||
            spec.name === name ||
            spec.name.startsWith(`${name}|`) ||
            spec.aclCategories.includes(name) ||
            // A container in a category brings its subcommands along.
            everyCommand.some((c) => c.aclCategories.includes(name) && spec.name.startsWith(`${c.name}|`));
          if (isMeant && one[0] === '+') allowed.add(spec.name);
          if (isMeant && one[0] === '-') allowed.delete(spec.name);
        }
      }
      const { commands: set } = userWith(...rules).selectors[0];
      for (const spec of everyCommand) {
        if (set.has(spec) !== allowed.has(spec.name))
          throw new Error(`${spec.name} after ${rules.join(' ')}`);
      }
    }),
    { numRuns: 300 },
  );
  t.pass('for 300 random lists of rules');
});

t.test('every category is described by itself', async (t) => {
  for (const category of aclCategoryNames.filter((name) =>
    everyCommand.some((c) => c.aclCategories.includes(`@${name}`)),
  )) {
    t.equal(userWith('+@all', `-@${category}`).selectors[0].commands.describe(), `+@all -@${category}`);
    t.equal(userWith(`+@${category}`).selectors[0].commands.describe(), `-@all +@${category}`);
  }
});

t.test('keys, channels and selectors', async (t) => {
  const user = userWith('+@all', '%R~r:*', '%W~w:*', '&news:*', '(+get ~extra)');
  t.equal(denied(user, 'GET r:1'), null);
  t.equal(denied(user, 'GET w:1'), 'key 1');
  t.equal(denied(user, 'GET extra'), null, 'by the selector');
  t.equal(denied(user, 'MGET r:1 extra'), 'key 2', 'no selector allows both');
  t.equal(denied(user, 'SET extra 1'), 'key 1');
  t.equal(denied(user, 'LPUSH w:1 x'), null);
  t.equal(denied(user, 'EXISTS anything'), 'key 1', 'of a key that no pattern covers, not even that');
  t.equal(
    denied(userWith('+@all', '%W~w*'), 'EXISTS w'),
    null,
    'whether it is there may be known who may write it',
  );
  t.equal(denied(user, 'PUBLISH news:a x'), null);
  t.equal(denied(user, 'PUBLISH other x'), 'channel 1');
  t.equal(denied(user, 'SUBSCRIBE news:a other'), 'channel 2');
  t.equal(denied(user, 'PSUBSCRIBE news:*'), null, 'a pattern in the very same words');
  t.equal(denied(user, 'PSUBSCRIBE news:a*'), 'channel 1');
  t.equal(denied(user, 'UNSUBSCRIBE other'), null);
  t.equal(denied(userWith('+get', '~*'), 'SET a 1'), 'command 0');
  t.equal(denied(userWith(), 'AUTH x'), null, 'what everybody may');
});

t.test('the default user may do everything until told otherwise', async (t) => {
  const users = new Users(catalogue);
  t.equal(users.default.isUnlimited, true);
  t.equal(users.requireLogin, false);
  users.setDefaultPassword('pw');
  t.equal(users.requireLogin, true);
  t.equal(users.default.accepts('pw'), true);
  t.equal(users.default.accepts('no'), false);
  users.setDefaultPassword('');
  t.equal(users.requireLogin, false);
  const limited = users.prepare('default', ['-flushall'], false) as User;
  t.equal(users.default.isUnlimited, true, 'prepared is not put');
  users.put(limited);
  t.equal(users.default.isUnlimited, false, 'the same object, so that connections see it');
  t.equal(users.delete('default'), false);
  t.equal(userWith('+@all', '~*', '&*', '-get', '+get').isUnlimited, true);
});

t.test('the log puts equal refusals together', async (t) => {
  const log = new AclLog();
  const add = (object: string, atMs: number, context: 'toplevel' | 'multi' = 'toplevel') =>
    log.add({ reason: 'key', context, object, user: 'ann', clientInfo: '', atMs }, 3);
  add('a', 0);
  add('b', 1000);
  add('a', 2000);
  t.strictSame(
    log.newest(10).map(({ object, count }) => [object, count]),
    [
      ['a', 2],
      ['b', 1],
    ],
  );
  add('b', 70_000);
  add('a', 71_000, 'multi');
  t.strictSame(
    log.newest(10).map(({ object, count }) => [object, count]),
    [
      ['a', 1],
      ['b', 1],
      ['a', 2],
    ],
    'a minute later apart; at most 3',
  );
  t.equal(log.newest(1).length, 1);
  log.reset();
  t.equal(log.newest(10).length, 0);
});
