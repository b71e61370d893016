import t from 'tap';
import { request } from 'undici';
import { infoField } from '../support/data-set.ts';
import { folder, nodeWith } from '../support/folder.ts';
import { until } from '../support/until.ts';

/* The figures of files on the admin port are those of INFO persistence. */

/** Figures that INFO has under another name. */
const NAMES = {
  ringside_node_aof_enabled: 'aof_enabled',
  ringside_node_aof_bytes: 'aof_current_size',
  ringside_node_aof_base_bytes: 'aof_base_size',
  ringside_node_aof_rewrites_total: 'aof_rewrites',
  ringside_node_aof_delayed_syncs_total: 'aof_delayed_fsync',
  ringside_node_aof_last_rewrite_duration_seconds: 'aof_last_rewrite_time_sec',
  ringside_node_rdb_saves_total: 'rdb_saves',
  ringside_node_rdb_unsaved_changes: 'rdb_changes_since_last_save',
  ringside_node_rdb_last_save_duration_seconds: 'rdb_last_bgsave_time_sec',
};

t.test('figures of the append-only file and of snapshots', async (t) => {
  const [node, client] = await nodeWith(t, folder(t, 'metrics'), '--appendonly', 'yes');
  const figures = async () => {
    const text = await (await request(`http://${node.ready.admin}/metrics`)).body.text();
    return (name: string) => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1]);
  };
  const same = async (when: string) => {
    await until('all is written', async () => (await infoField(client, 'aof_buffer_length')) === '0');
    const of = await figures();
    for (const [name, field] of Object.entries(NAMES))
      t.equal(of(name), Number(await infoField(client, field)), `${when}: ${name}`);
    for (const name of [
      'aof_failing',
      'aof_pending_bytes',
      'aof_rewriting',
      'rdb_saving',
      'loading',
      'loading_bytes',
    ])
      t.equal(of(`ringside_node_${name}`), 0, `${when}: ${name}`);
    return of;
  };
  const before = await same('at first');
  t.equal(before('ringside_node_rdb_last_save_duration_seconds'), -1);
  for (let i = 0; i < 100; i++) await client.send('SET', `key:${i}`, 'v');
  t.equal((await same('after writes'))('ringside_node_rdb_unsaved_changes'), 100);
  await client.send('BGSAVE');
  await until('it is saved', async () => (await infoField(client, 'rdb_bgsave_in_progress')) === '0');
  await client.send('BGREWRITEAOF');
  await until('it is rewritten', async () => (await infoField(client, 'aof_rewrite_in_progress')) === '0');
  const after = await same('after a snapshot and a rewrite');
  t.equal(after('ringside_node_rdb_last_save_failed'), 0);
  t.equal(after('ringside_node_aof_last_rewrite_failed'), 0);
  const sinceSave = after('ringside_node_rdb_since_save_seconds');
  t.ok(sinceSave >= 0 && sinceSave < 60, `${sinceSave} s since the snapshot`);
});
