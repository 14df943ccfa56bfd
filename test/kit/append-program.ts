/**
 * A process that appends numbered records to a log, one by one, on a disk that will fail it, and says on
 * standard output what came of it. Its arguments: a directory, how many records, and options of the log.
 *
 * @module
 */

import { systemCode } from '../../src/errors.ts';
import { open } from '../../src/open.ts';
import { createRuntime } from '../../src/runtime.ts';

export interface Outcome {
  /** What opening the log failed with, if it did; nothing else happened then. */
  opening: string | undefined;
  /** The offset and the number of each record that was acknowledged. */
  acknowledged: [number, number][];
  /** The number of each record that was refused, and the code. */
  refused: [number, string][];
  /** How many records could be read in the end, and what closing failed with. */
  readable: number;
  closing: string | undefined;
}

const MEMORY_BYTES = 32 << 20;
/** After so many refusals in a row it gives up. */
const REFUSALS_MAX = 5;

function codeOf(error: unknown): string {
  return systemCode(error) ?? String(error);
}

/** The value of the record with a number: some are small, some are not. */
export function valueOf(number: number): string {
  return `record ${number} `.repeat(number % 7 === 0 ? 300 : 3);
}

async function appendAll(directory: string, count: number, options: object): Promise<Outcome> {
  const outcome: Outcome = {
    opening: undefined,
    acknowledged: [],
    refused: [],
    readable: 0,
    closing: undefined,
  };
  const runtime = createRuntime({ memoryBytes: MEMORY_BYTES, threads: 1 });
  const database = await open(directory, { runtime });
  try {
    const log = await database.log('events', options);
    for (let number = 0, refusals = 0; number < count && refusals < REFUSALS_MAX; number++) {
      try {
        outcome.acknowledged.push([await log.append({ value: valueOf(number) }), number]);
        refusals = 0;
      } catch (error) {
        outcome.refused.push([number, codeOf(error)]);
        refusals++;
      }
    }
    for await (const _ of log.read()) outcome.readable++;
  } catch (error) {
    outcome.opening = codeOf(error);
  }
  await database.close().catch((error: unknown) => {
    outcome.closing = codeOf(error);
  });
  return outcome;
}

const [directory, count, options] = process.argv.slice(2);
if (directory !== undefined) {
  const outcome = await appendAll(directory, Number(count), JSON.parse(options ?? '{}') as object);
  process.stdout.write(JSON.stringify(outcome));
}
