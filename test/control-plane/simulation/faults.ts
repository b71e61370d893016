import type { World } from './world.ts';

/** One thing that goes wrong, and how it is put right again. */
export interface Fault {
  readonly what: string;
  /** The leader that may be replaced by it. */
  readonly leader: string | null;
  repair(): void;
}

/** One random failure: of one node, one link between hosts, or the control plane. */
export function randomFault(world: World): Fault {
  const { random } = world;
  const kinds = [
    crashNode,
    crashNode,
    restartNode,
    pauseNode,
    cutLink,
    cutLink,
    isolateNode,
    crashControl,
    loseControlState,
    pauseControl,
    askForFailover,
  ];
  return kinds[random.int(kinds.length)](world);
}

/** As {@link randomFault}, but nothing that lets the control plane forget: for several faults at a time. */
export function randomOverlappingFault(world: World): Fault {
  const kinds = [
    crashNode,
    crashNode,
    restartNode,
    pauseNode,
    cutLink,
    isolateNode,
    crashControl,
    pauseControl,
    isolateControl,
    askForFailover,
  ];
  return kinds[world.random.int(kinds.length)](world);
}

/** kill -9 of a node, leaders preferred; repaired by a new, empty process with the same id. */
export function crashNode(world: World, id = pickNode(world)): Fault {
  const node = world.nodes.get(id)!;
  const leads = node.mayWrite;
  world.say(`-- ${id} is killed`);
  node.crash();
  const repair = () => {
    if (world.nodes.get(id)!.alive) return;
    world.say(`-- ${id} is started again, empty`);
    world.startNode(id);
  };
  return { what: `crash ${id}`, leader: leads ? id : null, repair };
}

/** kill -9 of a node that a supervisor starts again at once: nobody has missed it yet. */
export function restartNode(world: World, id = pickNode(world)): Fault {
  const fault = crashNode(world, id);
  world.timeline.after(50 + world.random.next() * 500, fault.repair);
  return { ...fault, what: `restart ${id}` };
}

/** SIGSTOP, and SIGCONT at the repair. */
export function pauseNode(
  world: World,
  id = pickNode(world),
  forMs = 200 + world.random.next() * 6000,
): Fault {
  const node = world.nodes.get(id)!;
  const leads = node.mayWrite;
  world.say(`-- ${id} is stopped`);
  node.pause(forMs);
  const repair = () => {
    if (!node.paused) return;
    node.resume();
    world.say(`-- ${id} goes on`);
  };
  return { what: `pause ${id}`, leader: leads ? id : null, repair };
}

function cutLink(world: World): Fault {
  const hosts = ['control-plane', ...world.nodes.keys()];
  const a = hosts[world.random.int(hosts.length)];
  const b = hosts[world.random.int(hosts.length)];
  world.say(`-- ${a} and ${b} cannot reach each other`);
  world.network.cut(a, b);
  return { what: `cut ${a} ${b}`, leader: null, repair: () => heal(world) };
}

/** A node that reaches nobody, but clients reach it. */
export function isolateNode(world: World, id = pickNode(world)): Fault {
  const leads = world.nodes.get(id)!.mayWrite;
  world.say(`-- ${id} reaches nobody`);
  for (const other of ['control-plane', ...world.nodes.keys()]) world.network.cut(id, other);
  return { what: `isolate ${id}`, leader: leads ? id : null, repair: () => heal(world) };
}

function isolateControl(world: World): Fault {
  const some = [...world.nodes.keys()].filter(() => world.random.int(2) === 0);
  world.say(`-- the control plane cannot reach ${some.join(', ')}`);
  for (const id of some) world.network.cut('control-plane', id);
  return { what: 'isolate the control plane', leader: null, repair: () => heal(world) };
}

/** kill -9 of the control plane; its disk stays. */
export function crashControl(world: World): Fault {
  world.crashControl();
  return { what: 'crash control plane', leader: null, repair: () => world.control ?? world.startControl() };
}

/** The control plane is lost with its disk. */
export function loseControlState(world: World): Fault {
  world.crashControl({ loseState: true });
  return { what: 'lose control plane', leader: null, repair: () => world.control ?? world.startControl() };
}

function pauseControl(world: World): Fault {
  const { control } = world;
  if (control !== null) {
    world.say('-- the control plane is stopped');
    control.pause(world.random.next() * 5000);
  }
  return { what: 'pause control plane', leader: null, repair: () => control?.resume() };
}

/** An operator wants another leader. */
function askForFailover(world: World): Fault {
  const { shard } = world.nodes.get(pickNode(world))!;
  world.say(`-- an operator asks for another leader of ${shard}`);
  world.control?.act(() => world.control?.submit({ type: 'failover', request: 1, shard, to: null }));
  return { what: `failover ${shard}`, leader: null, repair: () => {} };
}

function heal(world: World): void {
  world.say('-- the network is whole again');
  world.network.heal();
}

/** Any node, every second time one that leads. */
function pickNode(world: World): string {
  const leaders = world.shards.flatMap((shard) => world.leaderOf(shard)?.name ?? []);
  const all = [...world.nodes.keys()];
  const among = leaders.length > 0 && world.random.int(2) === 0 ? leaders : all;
  return among[world.random.int(among.length)];
}
