// A legacy app: it speaks Redis to localhost and nothing else. It writes and reads 40 keys round and round
// and prints, four times a second, one JSON line of what it has seen since it started.
import net from 'node:net';

const KEYS = 40;
const seen = {
  reads: 0,
  readErrors: 0,
  writes: 0,
  writeErrors: 0,
  lost: 0,
  maxReadGapMs: 0,
  maxWriteGapMs: 0,
  lastError: '',
};

/** One connection that sends a command and waits for its one-line or bulk reply. */
function client() {
  let socket;
  let pending;
  let buffered = '';
  const fail = (error) => {
    socket = undefined;
    buffered = '';
    pending?.reject(error);
    pending = undefined;
  };
  const connect = () => {
    const s = net.connect(7379, '127.0.0.1');
    s.setNoDelay(true);
    s.on('error', fail);
    s.on('close', () => fail(new Error('connection closed')));
    s.on('data', (chunk) => {
      buffered += chunk.toString('latin1');
      const end = buffered.indexOf('\r\n');
      if (end < 0 || !pending) return;
      const head = buffered.slice(0, end);
      let reply = head.slice(1);
      if (head[0] === '$' && head !== '$-1') {
        const stop = end + 2 + Number(reply);
        if (buffered.length < stop + 2) return;
        reply = buffered.slice(end + 2, stop);
      } else if (head === '$-1') reply = null;
      const { resolve, reject } = pending;
      pending = undefined;
      buffered = '';
      if (head[0] === '-') reject(new Error(head.slice(1)));
      else resolve(reply);
    });
    return s;
  };
  return (...parts) =>
    new Promise((resolve, reject) => {
      socket ??= connect();
      pending = { resolve, reject };
      socket.write(`*${parts.length}\r\n${parts.map((p) => `$${p.length}\r\n${p}\r\n`).join('')}`);
    });
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const acknowledged = new Map();

async function loop(kind, act) {
  const lastOk = new Map();
  for (let i = 0; ; i++) {
    const key = `guest:${i % KEYS}`;
    try {
      await act(key, i);
      const now = performance.now();
      const gap = now - (lastOk.get(key) ?? now);
      lastOk.set(key, now);
      seen[`${kind}s`] += 1;
      const most = kind === 'read' ? 'maxReadGapMs' : 'maxWriteGapMs';
      seen[most] = Math.max(seen[most], Math.round(gap));
    } catch (error) {
      seen[`${kind}Errors`] += 1;
      seen.lastError = `${kind} ${key}: ${error.message}`;
      await pause(20);
    }
    await pause(5);
  }
}

const write = client();
const read = client();
loop('write', async (key, i) => {
  await write('SET', key, String(i));
  acknowledged.set(key, i);
});
loop('read', async (key) => {
  const floor = acknowledged.get(key);
  const value = await read('GET', key);
  if (floor !== undefined && (value === null || Number(value) < floor)) seen.lost += 1;
});
setInterval(() => process.stdout.write(`${JSON.stringify(seen)}\n`), 250);
