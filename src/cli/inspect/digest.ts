/**
 * A `.digest`: what the bytes of a sealed segment were, and whether they still are where that lies beside it.
 *
 * @module
 */

import { isVarveError } from '../../errors.ts';
import { DIGEST_WORK_BYTES, type Digest, decodeDigest, digestFile } from '../../log/digest.ts';
import { nodeVfs } from '../../vfs/node.ts';
import type { ExitCode } from '../context.ts';
import { formatBytes } from '../format.ts';
import type { Inspection } from './inspection.ts';

/** @returns 1 where it is damaged, or the segment beside it is not what it was */
export async function inspectDigest(inspection: Inspection): Promise<ExitCode> {
  const { context, path, bytes, json, memory } = inspection;
  const { stdout, colours } = context;
  const content = Buffer.alloc(bytes);
  const read = await inspection.file.read(content, 0);
  const noted = decodeDigest(memory, content.subarray(0, read));
  if (!json) stdout.line(`${colours.bold(path)}  digest, ${formatBytes(bytes)}`);
  if (noted === undefined) {
    const reason = 'its checksum, its magic number or its length is not that of a digest';
    if (json) stdout.json({ kind: 'damage', position: 0, reason });
    else stdout.line(colours.red(`damaged at position 0: ${reason}; it says nothing`));
    return 1;
  }
  const { algorithm, baseOffset } = noted;
  const digest = Buffer.from(noted.digest).toString('hex');
  const verdict = await compare(inspection, noted);
  if (json) {
    stdout.json({ kind: 'digest', algorithm, baseOffset, bytes: noted.bytes, digest, segment: verdict });
  } else {
    stdout.line(`${algorithm} of the ${formatBytes(noted.bytes)} from offset ${baseOffset} on: ${digest}`);
    if (verdict === 'missing') stdout.line('its segment does not lie beside it');
    else if (verdict === 'same') stdout.line(colours.green('its segment is what it was'));
    else stdout.line(colours.red('its segment is not what it was when it was sealed'));
  }
  return verdict === 'other' ? 1 : 0;
}

/** Whether the segment beside a digest is what the digest says. */
async function compare(
  { memory, path }: Inspection,
  { algorithm, bytes, digest }: Digest,
): Promise<'same' | 'other' | 'missing'> {
  const slab = memory.slabs.allocate(DIGEST_WORK_BYTES, 'digest');
  try {
    const context = { memory, work: slab.address, vfs: nodeVfs };
    const found = await digestFile(context, { path: path.replace(/\.digest$/, '.log'), bytes, algorithm });
    return found !== undefined && Buffer.compare(found, digest) === 0 ? 'same' : 'other';
  } catch (error) {
    if (isVarveError(error, 'NOT_FOUND')) return 'missing';
    throw error;
  } finally {
    slab.release();
  }
}
