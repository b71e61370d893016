import { sizeInBytes } from '../../lib/base/index.ts';
import { Invalid, type Kind } from './kind.ts';

function wordsOf(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== '');
}

/** A snapshot is due when there have been so many changes and the last one is so long ago. */
export interface SavePoint {
  readonly seconds: number;
  readonly changes: number;
}

/** `seconds changes` pairs of when a snapshot is due. */
export const savePoints: Kind<readonly SavePoint[]> = {
  parse(text) {
    const words = wordsOf(text);
    const isGood = (word: string, i: number) => /^\d{1,15}$/.test(word) && (i % 2 === 1 || Number(word) >= 1);
    if (words.length % 2 !== 0 || !words.every(isGood)) return new Invalid('Invalid save parameters');
    return words.flatMap((word, i) =>
      i % 2 === 1 ? [{ seconds: Number(words[i - 1]), changes: Number(word) }] : [],
    );
  },
  format: (points) => points.map(({ seconds, changes }) => `${seconds} ${changes}`).join(' '),
};

/** Percentiles that INFO shows of a command's durations. */
export const percentiles: Kind<readonly number[]> = {
  parse(text) {
    const values: number[] = [];
    for (const word of wordsOf(text)) {
      const value = /^[-+]?[0-9.]+(e[-+]?\d+)?$/i.test(word) ? Number(word) : Number.NaN;
      if (Number.isNaN(value)) return new Invalid('Invalid latency-tracking-info-percentiles parameters');
      if (value < 0 || value > 100) {
        return new Invalid('latency-tracking-info-percentiles parameters should sit between [0.0,100.0]');
      }
      values.push(value);
    }
    return values;
  },
  format: (values) => values.map(percentileText).join(' '),
};

/** A percentile as Redis writes it: up to six digits behind the point, none that say nothing. */
export function percentileText(value: number): string {
  return String(Number(value.toFixed(6)));
}

/** What closes a client whose replies pile up. */
export interface OutputLimit {
  /** At once, beyond this; 0: never. */
  readonly hardBytes: number;
  /** Beyond this for `softSeconds` on end; 0: never. */
  readonly softBytes: number;
  readonly softSeconds: number;
}

/** Limits by class of clients. */
export interface OutputLimits {
  readonly normal: OutputLimit;
  /** Written `slave`, as Redis does. */
  readonly replica: OutputLimit;
  readonly pubsub: OutputLimit;
}

const classNames = new Map<string, keyof OutputLimits | null>([
  ['normal', 'normal'],
  ['slave', 'replica'],
  ['replica', 'replica'],
  ['pubsub', 'pubsub'],
]);

/** `class hard soft seconds`, for one class or several; classes that are not named stay as in `base`. */
export function parseOutputLimits(text: string, base: OutputLimits): OutputLimits | Invalid {
  const words = wordsOf(text);
  if (words.length === 0 || words.length % 4 !== 0) {
    return new Invalid('Wrong number of arguments in buffer limit configuration.');
  }
  const limits = { ...base };
  for (let i = 0; i < words.length; i += 4) {
    const of = classNames.get(words[i].toLowerCase());
    if (!of) return new Invalid('Invalid client class specified in buffer limit configuration.');
    const hardBytes = sizeInBytes(words[i + 1]);
    const softBytes = sizeInBytes(words[i + 2]);
    const softSeconds = /^\d{1,9}$/.test(words[i + 3]) ? Number(words[i + 3]) : Number.NaN;
    if (Number.isNaN(hardBytes + softBytes + softSeconds)) {
      return new Invalid('Error in hard, soft or soft_seconds setting in buffer limit configuration.');
    }
    limits[of] = { hardBytes, softBytes, softSeconds };
  }
  return limits;
}

/** The limits as CONFIG GET shows them. */
export function formatOutputLimits({ normal, replica, pubsub }: OutputLimits): string {
  const one = (name: string, { hardBytes, softBytes, softSeconds }: OutputLimit) =>
    `${name} ${hardBytes} ${softBytes} ${softSeconds}`;
  return [one('normal', normal), one('slave', replica), one('pubsub', pubsub)].join(' ');
}

const shutdownWords = ['default', 'save', 'nosave', 'now', 'force'] as const;

/** How a signal ends the server. */
export const shutdownFlags: Kind<string> = {
  parse(text) {
    const words = wordsOf(text.toLowerCase());
    const known = words.every((word) => shutdownWords.some((one) => one === word));
    if (words.length === 0 || !known) {
      return new Invalid(`argument(s) must be one of the following: ${shutdownWords.join(', ')}`);
    }
    if (words.includes('save') && words.includes('nosave')) {
      return new Invalid("shutdown options SAVE and NOSAVE can't be used simultaneously");
    }
    const set = shutdownWords.filter((word) => word !== 'default' && words.includes(word));
    return set.length === 0 ? 'default' : set.join(' ');
  },
  format: (value) => value,
};

const OOM_CLASSES = 3;
const OOM_MAX = 2000;

/** Three adjustments for the kernel's choice of whom to end when memory is short. */
export const oomScores: Kind<string> = {
  parse(text) {
    const words = wordsOf(text);
    if (words.length !== OOM_CLASSES) return new Invalid('wrong number of arguments');
    if (!words.every((word) => /^-?\d{1,9}$/.test(word) && Math.abs(Number(word)) <= OOM_MAX)) {
      return new Invalid('Invalid oom-score-adj-values, elements must be between -2000 and 2000.');
    }
    return words.map(Number).join(' ');
  },
  format: (value) => value,
};
