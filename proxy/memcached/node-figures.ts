/** What the nodes that lead all shards tell together. */
export interface NodeFigures {
  /** Of database 0, which is memcached's. */
  readonly items: number;
  readonly bytes: number;
  readonly reservedBytes: number;
  /** 0: no limit. */
  readonly maxBytes: number;
  readonly evicted: number;
  readonly expired: number;
}

/** Adds up what INFO says. */
export function figuresOf(infos: readonly string[]): NodeFigures {
  const sum = (pattern: RegExp) =>
    infos.reduce((total, info) => total + Number(pattern.exec(info)?.[1] ?? 0), 0);
  return {
    items: sum(/^db0:keys=(\d+)/m),
    bytes: sum(/^used_memory_dataset:(\d+)/m),
    reservedBytes: sum(/^used_memory:(\d+)/m),
    maxBytes: sum(/^maxmemory:(\d+)/m),
    evicted: sum(/^evicted_keys:(\d+)/m),
    expired: sum(/^expired_keys:(\d+)/m),
  };
}
