import t from 'tap';
import { NameWatch } from '../../proxy/core/name-watch.ts';
import { threadOf } from '../support/proxy-thread.ts';
import { fakeNodes } from '../support/proxy-under-test.ts';
import { until } from '../support/until.ts';

t.test(
  'a name that stands for another address: the connection is replaced, when nothing is under way',
  async (t) => {
    const [node] = await fakeNodes(t, 1);
    const { path } = threadOf(t);
    const { router } = path;
    const leader = `localhost:${node.port}`;
    router.apply({
      virtualNodes: 256,
      shards: [{ name: 's0', weight: 1, epoch: null, leader, followers: [] }],
    });
    const upstream = router.routes[0].leader!;
    await until('it is connected', () => upstream.isConnected);
    const first = upstream.links[0];
    const address = first.remoteAddress!;
    let answer: readonly string[] | null = [address, '192.0.2.1'];
    const names = new NameWatch(router, 0, async (host) => {
      t.equal(host, 'localhost');
      if (answer === null) throw new Error('no name server');
      return answer;
    });
    await names.look();
    t.equal(upstream.links[0], first, 'still one of its addresses');
    answer = null;
    await names.look();
    t.equal(upstream.links[0], first, 'nobody can tell');
    answer = ['192.0.2.1'];
    await names.look();
    t.not(upstream.links[0], first);
    await until('it is connected again', () => upstream.isConnected && node.connections === 1);
    t.equal(upstream.isSuspect, false, 'nothing has failed');
    t.equal(router.linkTo(upstream, 2, 0), upstream.links[0]);
    names.close();
  },
);
