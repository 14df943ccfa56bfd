/**
 * The kernels: pure functions over addresses of a memory that all threads share. There are no objects, no
 * allocation, and nothing of their own in that memory but what `init` is given. Each thread has its own
 * instance, so a global variable belongs to one thread. The contract is src/memory/kernels.ts and
 * parse-kernels.ts and search-kernels.ts beside it; what each must compute is in reference.ts, parse-reference.ts and
 * search-reference.ts.
 */

export { encodeBatch } from './batch-encode';
export { decodeBatch, findMarked, findRecord, markRecords } from './batch-decode';
export { findBatch, scanBatches } from './batch-scan';
export { markContinuations } from './continuations';
export { addEntry, finishBlock, openBlock, sealBlock, separate } from './block-build';
export { decodeBlock, findInBlock, moveBytes, readIndex, seekIndex, seekRows, seekRun } from './block-read';
export { buildFilter, filterHas, filterHash } from './bloom';
export { crc32c, init } from './crc32c';
export { countFeeds, countFound, examineText, findFeedBack, findLines } from './find';
export { parseHdfs, plainFields } from './hdfs';
export { encodeBatches, keepEntries, makeEntries } from './ingest';
export { parseJson } from './json';
export { findKeys, gatherRecords, mapKeys, wholeRecords } from './key-map';
export { indexLines } from './lines';
export { parseLogfmt } from './logfmt';
export { lookup, seekPart } from './lookup';
export {
  applyOperations,
  gatherCells,
  growMemtable,
  indexCells,
  measureOperations,
  memtableGet,
} from './memtable';
export { parsePattern } from './pattern';
export { mergeBlock, mergeDrop, mergeIsDue, mergePage, mergeStart, mergeTake, mergeTop } from './merge';
export { offsetLowerBound, offsetUpperBound, timeLowerBound, timeUpperBound } from './search';
export { mergeRuns, sortRun } from './sort';
export { seekTable } from './seek';
export { tallyRows } from './tally';
