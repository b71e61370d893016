/** A thread that does nothing but PING a server, one at a time, a millisecond apart, and reports how long each answer took. */
import net from 'node:net';
import { parentPort, workerData } from 'node:worker_threads';

const PAUSE_MS = 1;
const socket = net.connect(workerData as number, '127.0.0.1');
socket.setNoDelay(true);
let times: number[] = [];
let sentAt = 0;

function send(): void {
  sentAt = performance.now();
  socket.write('*1\r\n$4\r\nPING\r\n');
}

socket.on('data', () => {
  times.push(performance.now() - sentAt);
  setTimeout(send, PAUSE_MS);
});
socket.once('connect', send);

parentPort!.on('message', (message) => {
  if (message === 'end') {
    socket.destroy();
    parentPort!.close();
    return;
  }
  parentPort!.postMessage(times);
  times = [];
});
