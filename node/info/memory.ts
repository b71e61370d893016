import { totalmem } from 'node:os';
import { memoryFigures } from '../operations/memory-figures.ts';
import { type Fields, human, type InfoSource, percent } from './section.ts';

/** Where memory goes. The allocator that the fields of that name speak of is the store with its segments. */
export function memory({ node, databases }: InfoSource): Fields {
  const figures = memoryFigures(node, databases);
  const {
    usedBytes,
    chargedBytes,
    peakBytes,
    reservedBytes,
    residentBytes,
    clientBytes,
    followerBytes,
    backlogBytes,
  } = figures;
  const used = Math.max(1, usedBytes);
  const { maxMemoryBytes, maxMemoryPolicy } = node.settings;
  const total = totalmem();
  return [
    ['used_memory', chargedBytes],
    ['used_memory_human', human(chargedBytes)],
    ['used_memory_rss', residentBytes],
    ['used_memory_rss_human', human(residentBytes)],
    ['used_memory_peak', peakBytes],
    ['used_memory_peak_human', human(peakBytes)],
    ['used_memory_peak_perc', percent(chargedBytes, peakBytes)],
    ['used_memory_overhead', chargedBytes - usedBytes],
    ['used_memory_startup', 0],
    ['used_memory_dataset', usedBytes],
    ['used_memory_dataset_perc', percent(usedBytes, chargedBytes)],
    ['used_memory_reserved', reservedBytes],
    ['allocator_allocated', usedBytes],
    ['allocator_active', reservedBytes],
    ['allocator_resident', residentBytes],
    ['total_system_memory', total],
    ['total_system_memory_human', human(total)],
    ['used_memory_lua', 0],
    ['used_memory_vm_eval', 0],
    ['used_memory_lua_human', human(0)],
    ['used_memory_scripts_eval', 0],
    ['number_of_cached_scripts', 0],
    ['number_of_functions', 0],
    ['number_of_libraries', 0],
    ['used_memory_vm_functions', 0],
    ['used_memory_vm_total', 0],
    ['used_memory_vm_total_human', human(0)],
    ['used_memory_functions', 0],
    ['used_memory_scripts', 0],
    ['used_memory_scripts_human', human(0)],
    ['process_heap_used', figures.heapUsedBytes],
    ['process_heap_reserved', figures.heapReservedBytes],
    ['process_external', figures.externalBytes],
    ['process_overhead', Math.round(databases.overheadBytes)],
    ['maxmemory', maxMemoryBytes],
    ['maxmemory_human', human(maxMemoryBytes)],
    ['maxmemory_policy', maxMemoryPolicy],
    ['allocator_frag_ratio', (reservedBytes / used).toFixed(2)],
    ['allocator_frag_bytes', reservedBytes - usedBytes],
    ['allocator_rss_ratio', (residentBytes / Math.max(1, reservedBytes)).toFixed(2)],
    ['allocator_rss_bytes', residentBytes - reservedBytes],
    ['rss_overhead_ratio', '1.00'],
    ['rss_overhead_bytes', 0],
    ['mem_fragmentation_ratio', (residentBytes / Math.max(1, chargedBytes)).toFixed(2)],
    ['mem_fragmentation_bytes', residentBytes - chargedBytes],
    ['mem_not_counted_for_evict', followerBytes + backlogBytes],
    ['mem_replication_backlog', backlogBytes],
    ['mem_total_replication_buffers', followerBytes + backlogBytes],
    ['mem_clients_slaves', followerBytes],
    ['mem_clients_normal', clientBytes],
    ['mem_cluster_links', 0],
    ['mem_aof_buffer', node.aof.pendingBytes],
    ['mem_allocator', 'ringside'],
    ['active_defrag_running', 0],
    ['lazyfree_pending_objects', 0],
    ['lazyfreed_objects', 0],
  ];
}
