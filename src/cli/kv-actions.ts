/** The names of what `varve kv` does, and what it is told. */

export const KV_ACTIONS = [
  'set',
  'get',
  'delete',
  'has',
  'ttl',
  'persist',
  'increment',
  'store',
  'scan',
  'clear',
  'stats',
  'export',
  'import',
] as const;
export type KvAction = (typeof KV_ACTIONS)[number];

export interface KvCommandOptions {
  store: string;
  ttl?: number;
  ifAbsent?: boolean;
  ifPresent?: boolean;
  values?: 'utf8' | 'json' | 'bytes';
  limit?: number;
  json?: boolean;
}
