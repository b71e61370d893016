import { spawnSync } from 'node:child_process';
import { readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { seededRandom } from '../../lib/base/index.ts';
import { AofRoom, cutRoom } from '../../node/persistence/aof-room.ts';
import { AppendFile } from '../../node/persistence/append-file.ts';
import { hasRedisTools } from '../support/aof.ts';
import { folder } from '../support/folder.ts';
import { NO_REDIS } from '../support/redis-server.ts';

/* Room ahead of an append-only file's end: what a crash leaves of it is cut off, and with it what the disk has in part. */

const random = seededRandom(Number(process.env.SEED ?? 20261121));
const SECTOR = 512;

/** What is there but comments. */
const commandsIn = (bytes: Buffer) => bytes.latin1Slice().replace(/#+\r\n/g, '');

/** A command that takes so many bytes. */
function commandOf(bytes: number): Buffer {
  const around = `*2\r\n$4\r\nECHO\r\n$${String(bytes).padStart(8, '0')}\r\n`;
  const value = bytes - around.length - 2;
  return Buffer.from(`*2\r\n$4\r\nECHO\r\n$${String(value).padStart(8, '0')}\r\n${'v'.repeat(value)}\r\n`);
}

async function fileWithRoom(path: string): Promise<AppendFile> {
  const file = await AppendFile.create(path);
  file.room = new AofRoom(random);
  return file;
}

async function append(file: AppendFile, bytes: Buffer): Promise<void> {
  const parts = [bytes.subarray(0, 10), bytes.subarray(10)];
  if (random.int(2) === 0) file.writeNow(parts);
  else await file.write(parts);
}

t.test('what was written is there, whole, wherever it ends', async (t) => {
  const path = join(folder(t, 'room'), 'part.aof');
  const file = await fileWithRoom(path);
  const written: Buffer[] = [];
  for (let i = 0; i < 300; i++) {
    const bytes = commandOf(40 + (i < 130 ? i : random.int(random.int(40) === 0 ? 300_000 : 4000)));
    written.push(bytes);
    await append(file, bytes);
    if (i > 130 && random.int(20) > 0) continue;
    const copy = `${path}.copy`;
    writeFileSync(copy, readFileSync(path));
    const size = statSync(copy).size;
    if (bytes.length < 10_000) t.ok(size >= file.size + SECTOR, 'there is room');
    t.equal(await cutRoom(copy), 0, 'nothing but room is cut');
    if (commandsIn(readFileSync(copy)) !== Buffer.concat(written).latin1Slice())
      t.fail(`${file.size} bytes, write ${i}`);
  }
  await file.close();
  t.ok(commandsIn(readFileSync(path)) === Buffer.concat(written).latin1Slice(), 'closing leaves no room');
  t.equal(await cutRoom(path), 0);
  t.equal(statSync(path).size, file.size, 'nothing is taken from a file without room');
});

t.test('a sector that has not reached the disk ends the file', async (t) => {
  for (let round = 0; round < 60; round++) {
    const path = join(folder(t, 'hole'), 'part.aof');
    const file = await fileWithRoom(path);
    await append(file, commandOf(40 + random.int(2000)));
    const start = file.size;
    const before = readFileSync(path);
    await append(file, commandOf(2000 + random.int(6000)));
    const after = readFileSync(path);
    const first = Math.floor(start / SECTOR);
    const hole = (first + random.int(Math.floor(file.size / SECTOR) - first)) * SECTOR;
    before.copy(after, hole, hole, hole + SECTOR);
    writeFileSync(path, after);
    const whole = after.subarray(0, Math.max(start, hole));
    const dropped = await cutRoom(path);
    t.ok(readFileSync(path).equals(whole), `${start} and more, without ${hole}`);
    if (file.size > hole + SECTOR) t.equal(dropped, file.size - whole.length);
    await file.close();
  }
});

t.test('without room, and with what only looks like it', async (t) => {
  const path = join(folder(t, 'plain'), 'part.aof');
  for (const content of ['', 'x', `${'x'.repeat(SECTOR - 1)}\n`, commandOf(SECTOR).latin1Slice()]) {
    writeFileSync(path, content);
    t.equal(await cutRoom(path), 0);
    t.equal(readFileSync(path, 'latin1'), content);
  }
  const file = await fileWithRoom(path);
  await append(file, commandOf(100));
  truncateSync(path, SECTOR + 100);
  t.equal(await cutRoom(path), 0);
  t.equal(statSync(path).size, SECTOR + 100, 'room that ends in the midst of a line is left to the reader');
  file.room = null;
  await append(file, commandOf(100));
  t.equal(statSync(path).size, 200, 'no room is wanted any more');
  await file.close();
});

t.test('redis-check-aof reads it', { skip: !hasRedisTools && NO_REDIS }, async (t) => {
  const path = join(folder(t, 'check'), 'part.aof');
  const file = await fileWithRoom(path);
  for (let end = 0; end < 66; end += 5) {
    await append(file, commandOf(43 + end));
    const { status, stdout } = spawnSync('redis-check-aof', [path], { encoding: 'utf8' });
    if (status !== 0) t.fail(`${file.size} bytes: ${stdout}`);
  }
  t.ok(statSync(path).size > file.size);
  await file.close();
});
