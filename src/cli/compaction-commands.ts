/**
 * The commands that make logs smaller, their options and their help; see program.ts for the others.
 *
 * @module
 */

import { type Command, Option } from 'commander';
import { parseBytes } from './arguments.ts';
import { checked, count } from './checked.ts';
import type { CompactCommandOptions } from './compact.ts';
import { execute } from './context.ts';
import type { RecompressCommandOptions } from './recompress.ts';
import type { RetainCommandOptions } from './retain.ts';
import { parseDuration } from './time.ts';

const bytes = checked(parseBytes);
/** Named here, so that no codec is loaded to show the help. */
const CODECS: RecompressCommandOptions['codec'][] = ['gzip', 'snappy', 'lz4', 'zstd'];

const duration: (text: string) => number = checked((text) => {
  const parsed = parseDuration(text);
  if (parsed === undefined)
    throw new RangeError(`it must be a duration such as 30s, 12h or 7d, not "${text}"`);
  return parsed;
});

/** Adds them to the program. */
export function addCompactionCommands(program: Command): void {
  addCompact(program);
  addRecompress(program);
  addRetain(program);
}

function addRecompress(program: Command): void {
  const recompress = program
    .command('recompress')
    .description('compress the sealed segments of a log that were written plain')
    .argument('<dir>', 'the database, which nobody may have open for writing')
    .argument('<log>', 'the log, or one of its partitions as name-partition')
    .addOption(new Option('--codec <codec>', 'what to compress with').choices(CODECS).makeOptionMandatory())
    .option('--level <level>', 'more is smaller and slower: gzip 1 to 9 (6), zstd 1 to 22 (3)', count)
    .option('--all', 'begin a new segment before, so that nothing is left out')
    .option('--dry-run', 'say what it would save, and change nothing; exit code 1 where there is something')
    .option('--json', 'print the report as JSON');
  recompress.action((dir: string, log: string, options: RecompressCommandOptions) =>
    execute(async (context) => (await import('./recompress.ts')).recompress(dir, log, options, context)),
  );
}

function addCompact(program: Command): void {
  const compact = program
    .command('compact')
    .description('of the sealed segments of a log, keep the newest record of each key')
    .argument('<dir>', 'the database, which nobody may have open for writing')
    .argument('<log>', 'the log, or one of its partitions as name-partition')
    .option('--dry-run', 'say what would go, and change nothing; exit code 1 where there is something')
    .option('--all', 'begin a new segment before, so that nothing is left out')
    .option('--min-lag <duration>', 'leave segments alone that have a younger record', duration)
    .option(
      '--delete-retention <duration>',
      'how long deletions are kept from when they are first met (1 d)',
      duration,
    )
    .option('--key-memory <bytes>', 'memory for keys; what does not fit takes another pass (64 MiB)', bytes)
    .addOption(
      new Option(
        '--duplicates-within <records>',
        'instead: remove records that are there more than once, byte for byte, within so many',
      ).argParser(count),
    )
    .option('--json', 'print the report as JSON');
  compact.action((dir: string, log: string, options: CompactCommandOptions) =>
    execute(async (context) => (await import('./compact.ts')).compact(dir, log, options, context)),
  );
}

function addRetain(program: Command): void {
  const retain = program
    .command('retain')
    .description('remove the oldest segments of a log, by size or by age')
    .argument('<dir>', 'the database, which nobody may have open for writing')
    .argument('<log>', 'the log, or one of its partitions as name-partition')
    .option('--bytes <bytes>', 'what the log may take', bytes)
    .option('--age <duration>', 'how old the newest record of a segment may be', duration)
    .option('--before <offset>', 'remove all before this offset', count)
    .option('--dry-run', 'say what would go, and change nothing; exit code 1 where there is something')
    .option('--json', 'print the report as JSON');
  retain.action((dir: string, log: string, options: RetainCommandOptions) =>
    execute(async (context) => (await import('./retain.ts')).retain(dir, log, options, context)),
  );
}
