import t from 'tap';
import { BothReadPorts, markRequest, NO_MARK, type ReadPort } from '../../proxy/core/read-port.ts';
import { acquireRequest, type Request, releaseRequest } from '../../proxy/core/request.ts';
import type { Router } from '../../proxy/core/router.ts';
import { Fills } from '../../proxy/near/fills.ts';
import { NearFigures } from '../../proxy/near/near-figures.ts';
import { Form } from '../../proxy/near/read-form.ts';
import { CommandsUnderWay } from '../../proxy/near/under-way.ts';

/* What answers reads in other ways than their leaders do, when there are two of them. */

/** A port that marks everything with the same mark, and takes what it is told to. */
class StubPort implements ReadPort {
  readonly seen: Request[] = [];
  readonly ended: number[] = [];
  isTaking = false;
  readonly #mark: number;

  constructor(mark: number) {
    this.#mark = mark;
  }

  takes(request: Request): boolean {
    this.seen.push(request);
    if (!this.isTaking) markRequest(request, this, this.#mark);
    return this.isTaking;
  }

  bypassed(): number {
    return this.#mark;
  }

  settled(mark: number): void {
    this.ended.push(mark);
  }
}

t.test('what both have marked is over for both when it is answered', async (t) => {
  const [first, second] = [new StubPort(5), new StubPort(7)];
  const both = new BothReadPorts(first, second);
  const request = acquireRequest();
  t.notOk(both.takes(request));
  t.same([first.ended, second.ended], [[], []]);
  request.answerWith(Buffer.from('+OK\r\n'));
  t.same([first.ended, second.ended], [[5], [7]]);
});

t.test('what the second one takes is under way for the first one until it is answered', async (t) => {
  const [first, second] = [new StubPort(5), new StubPort(7)];
  second.isTaking = true;
  const request = acquireRequest();
  t.ok(new BothReadPorts(first, second).takes(request));
  t.same(first.ended, []);
  request.answerWith(Buffer.from('+OK\r\n'));
  t.same([first.ended, second.ended], [[5], []]);
});

t.test('what the first one takes is nothing to the second one', async (t) => {
  const [first, second] = [new StubPort(5), new StubPort(7)];
  first.isTaking = true;
  const request = acquireRequest();
  t.ok(new BothReadPorts(first, second).takes(request));
  t.same(second.seen, []);
  releaseRequest(request);
});

t.test('commands over connections of their own are marked by those whom they concern', async (t) => {
  const [first, second, none] = [new StubPort(5), new StubPort(7), new StubPort(NO_MARK)];
  const both = new BothReadPorts(first, second);
  const mark = both.bypassed(Buffer.alloc(0));
  both.settled(mark);
  both.settled(mark);
  t.same([first.ended, second.ended], [[5], [7]], 'once');
  t.equal(new BothReadPorts(none, none).bypassed(Buffer.alloc(0)), NO_MARK);
});

t.test(
  'reads whose fetch is given up are offered to the next one, and are sent if it does not want them',
  async (t) => {
    const next = new StubPort(NO_MARK);
    const sent: Request[] = [];
    const router = {
      env: { clock: { monotonicMs: () => 0 } },
      routeOf: () => null,
      sendFirst: (request: Request) => sent.push(request),
    } as unknown as Router;
    const underWay = new CommandsUnderWay(() => {});
    const fills = new Fills({
      router,
      underWay,
      links: { readyLink: () => ({}) } as never,
      figures: new NearFigures([]),
      keeper: { settled: (mark) => underWay.settle(mark) },
      onward: next,
      keep: () => {},
    });
    const parts = {
      key: Buffer.from('k'),
      hash: 1,
      bucket: 1,
      beganMs: 0,
      rules: { index: 0 },
      route: { leader: {} },
    };
    const requests = [acquireRequest(), acquireRequest()];
    for (const request of requests) request.sink = { ready: () => {} };
    for (const isTaking of [false, true]) {
      next.isTaking = isTaking;
      // Another command on the key is under way: the fill waits for it.
      const other = underWay.add(1);
      t.ok(fills.begin(parts as never, 'k', requests[0], Form.GET));
      t.ok(fills.join('k', requests[1], Form.GET));
      fills.giveUp('k');
      t.same(next.seen.splice(0), requests, 'in their order');
      t.same(sent.splice(0), isTaking ? [] : requests);
      t.equal(underWay.count(1), 3, 'they are under way');
      for (const request of requests) request.answerWith(Buffer.from('+OK\r\n'));
      underWay.settle(other);
      t.equal(underWay.count(1), 0);
    }
  },
);
