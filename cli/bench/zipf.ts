import type { Random } from '../../lib/base/index.ts';

/**
 * Numbers in [0, n), where number k comes up in proportion to 1 / (k + 1)^s. Constant time and memory.
 *
 * Source: W. Hörmann and G. Derflinger, "Rejection-inversion to generate variates from monotone discrete distributions", ACM
 * TOMACS 6(3), 1996.
 */
export class Zipf {
  readonly #n: number;
  readonly #s: number;
  readonly #random: Random;
  readonly #hx1: number;
  readonly #hn: number;
  readonly #cut: number;

  /** `n` >= 1; `s` > 0, 0.99 being what most caches see. */
  constructor(n: number, s: number, random: Random) {
    this.#n = n;
    this.#s = s;
    this.#random = random;
    this.#hx1 = this.#hIntegral(1.5) - 1;
    this.#hn = this.#hIntegral(n + 0.5);
    this.#cut = 2 - this.#hIntegralInverse(this.#hIntegral(2.5) - this.#h(2));
  }

  next(): number {
    for (;;) {
      const u = this.#hn + this.#random.next() * (this.#hx1 - this.#hn);
      const x = this.#hIntegralInverse(u);
      const k = Math.min(Math.max(Math.round(x), 1), this.#n);
      if (k - x <= this.#cut || u >= this.#hIntegral(k + 0.5) - this.#h(k)) return k - 1;
    }
  }

  #h(x: number): number {
    return Math.exp(-this.#s * Math.log(x));
  }

  #hIntegral(x: number): number {
    const logX = Math.log(x);
    return expm1Ratio((1 - this.#s) * logX) * logX;
  }

  #hIntegralInverse(x: number): number {
    const t = Math.max(x * (1 - this.#s), -1);
    return Math.exp(log1pRatio(t) * x);
  }
}

/** (e^x - 1) / x, also near 0. */
function expm1Ratio(x: number): number {
  return Math.abs(x) > 1e-8 ? Math.expm1(x) / x : 1 + (x / 2) * (1 + x / 3);
}

/** log(1 + x) / x, also near 0. */
function log1pRatio(x: number): number {
  return Math.abs(x) > 1e-8 ? Math.log1p(x) / x : 1 - x * (0.5 - x / 3);
}
