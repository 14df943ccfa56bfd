/**
 * The command `varve kv`: its actions, their options and their help.
 *
 * @module
 */

import { type Command, InvalidArgumentError, Option } from 'commander';
import { count } from './checked.ts';
import { execute } from './context.ts';
import { KV_ACTIONS, type KvAction, type KvCommandOptions } from './kv-actions.ts';
import { parseDuration } from './time.ts';

const HELP = `
Actions:
  set KEY VALUE       set a key; with --ttl it expires
  get KEY             print the value of a key
  delete KEY...       delete keys, and print how many were there
  has KEY             say nothing; the exit code is the answer
  ttl KEY             print how many seconds a key has, or never
  persist KEY         let a key live for ever
  increment KEY [BY]  add to a number, and print the sum
  store               print all keys and values, and how long they have
  scan PREFIX         the same of the keys that begin with something
  clear [PREFIX]      delete all keys, or those that begin with something
  stats               print how many keys there are, and what they take
  export [FILE]       write all keys as lines of JSON, to standard output unless a file is given
  import FILE         set what such lines say (- is standard input): all of it, or nothing

Each action opens the database and closes it again. What an action has changed is on the disk when it ends; while one
changes something, another that would is told who has the lock, and those that only look may look.

Exit codes: 0 done; 1 there is no such key, or a condition of set does not hold; 2 it could not be done.`;

function ttl(text: string): number {
  const ms = /^\d+(?:\.\d+)?$/.test(text) ? Number(text) * 1000 : parseDuration(text);
  if (ms === undefined || ms < 1)
    throw new InvalidArgumentError(`it must be seconds, or a duration such as 90s or 2h.`);
  return Math.round(ms);
}

function action(text: string): KvAction {
  const found = KV_ACTIONS.find((name) => name === text);
  if (found === undefined) throw new InvalidArgumentError(`it must be one of ${KV_ACTIONS.join(', ')}.`);
  return found;
}

export function addKv(program: Command): void {
  const command = program
    .command('kv')
    .description('keep keys with values that may expire: set, get, scan, ...')
    .argument('<dir>', 'the database; it is made by the first set or import')
    .argument('<action>', 'what to do; see below', action)
    .argument('[args...]', 'keys, values, files')
    .option('--store <name>', 'which store of the database', 'default')
    .option('--ttl <time>', 'set, increment: how long the key lives, in seconds, or as 90s, 2h', ttl)
    .option('--if-absent', 'set: only where the key is not there')
    .option('--if-present', 'set: only where the key is there')
    .addOption(
      new Option(
        '--values <kind>',
        'what the values of a new store are; of one that is there, checked',
      ).choices(['utf8', 'json', 'bytes']),
    )
    .option('--limit <n>', 'store, scan: at most so many keys', count)
    .option('--json', 'print JSON')
    .addHelpText('after', HELP);
  command.action((dir: string, name: KvAction, args: string[], options: KvCommandOptions) =>
    execute(async (context) => {
      const { kv } = await import('./kv.ts');
      return kv(dir, name, args, options, context);
    }),
  );
}
