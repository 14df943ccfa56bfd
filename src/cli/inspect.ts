/**
 * `varve inspect FILE`: what one file of a log or a tree holds, byte by byte checked. It needs no database around
 * the file, and shows a damaged one as far as it goes.
 *
 * @module
 */

import { MEMORY_BYTES_DEFAULT } from '../limits.ts';
import {
  CHECKPOINT_FILE,
  CHECKPOINT_TEMPORARY_FILE,
  GAPS_FILE,
  GAPS_TEMPORARY_FILE,
  parseSegmentFileName,
} from '../log/names.ts';
import { parseTableFileName } from '../lsm/table/table-file.ts';
import { MANIFEST_DIRECTORY } from '../lsm/trees.ts';
import { Memory } from '../memory/memory.ts';
import { nodeVfs } from '../vfs/node.ts';
import type { Context, ExitCode } from './context.ts';
import { UsageError } from './failure.ts';
import { inspectCheckpoint } from './inspect/checkpoint.ts';
import { inspectDigest } from './inspect/digest.ts';
import { inspectGaps } from './inspect/gaps.ts';
import { inspectOffsetIndex, inspectTimeIndex } from './inspect/indexes.ts';
import type { Inspection } from './inspect/inspection.ts';
import { inspectManifest } from './inspect/manifest.ts';
import { inspectSegment } from './inspect/segment.ts';
import { inspectTable } from './inspect/table.ts';

export interface InspectCommandOptions {
  limit?: number;
  json?: boolean;
}

type Inspector = (inspection: Inspection) => Promise<ExitCode>;

/** What a file is, is in its name. */
function inspectorOf(path: string): Inspector {
  const name = path.split(/[/\\]/).at(-1) ?? '';
  if (name === CHECKPOINT_FILE || name === CHECKPOINT_TEMPORARY_FILE) return inspectCheckpoint;
  if (name === GAPS_FILE || name === GAPS_TEMPORARY_FILE) return inspectGaps;
  if (parseTableFileName(name) !== undefined || /\.table(?:\.|$)/.test(name)) return inspectTable;
  const kind = parseSegmentFileName(name)?.kind ?? /\.(log|index|timeindex|digest)(?:\.|$)/.exec(name)?.[1];
  if (kind === 'log') return inspectSegment;
  if (kind === 'index') return inspectOffsetIndex;
  if (kind === 'timeindex') return inspectTimeIndex;
  if (kind === 'digest') return inspectDigest;
  throw new UsageError(
    `${path} is none of the files of a log or a tree: those end in .log, .index, .timeindex or .digest, those of a tree in .table, or are called ${CHECKPOINT_FILE} or ${GAPS_FILE}`,
  );
}

/** @returns 1 where the file is damaged */
export async function inspect(
  path: string,
  options: InspectCommandOptions,
  context: Context,
): Promise<ExitCode> {
  const limit = options.limit ?? Number.POSITIVE_INFINITY;
  const isManifest = path.split(/[/\\]/).at(-1) === MANIFEST_DIRECTORY;
  if (isManifest && (await nodeVfs.stat(path))?.kind === 'directory')
    return await inspectManifest(path, { json: options.json === true, limit }, context);
  const inspector = inspectorOf(path);
  const file = await nodeVfs.open(path, 'read');
  try {
    return await inspector({
      path,
      file,
      bytes: await file.size(),
      memory: Memory.create(MEMORY_BYTES_DEFAULT),
      context,
      limit,
      json: options.json === true,
    });
  } finally {
    await file.close();
  }
}
