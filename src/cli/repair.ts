/**
 * `varve repair DIR [LOG] [--dry-run]`: makes a damaged database open again, and says what was wrong, what was
 * done about it, which offsets are lost and where the bytes are now.
 *
 * @module
 */

import type { LogRepairReport, RepairAction, RepairMode } from '../log/repair-report.ts';
import type { TreesRepairReport } from '../lsm/repair-report.ts';
import { type RepairReport, repair as repairDirectory } from '../repair.ts';
import { nodeVfs } from '../vfs/node.ts';
import type { Context, ExitCode } from './context.ts';
import { findPlace } from './database.ts';
import { formatBytes, plural } from './format.ts';
import { sentenceOf } from './verify.ts';

export interface RepairCommandOptions {
  dryRun?: boolean;
  mode?: RepairMode;
  json?: boolean;
}

/** @returns 0 where nothing was wrong or all is repaired, 1 where a dry run found something to repair */
export async function repair(
  directory: string,
  name: string | undefined,
  options: RepairCommandOptions,
  context: Context,
): Promise<ExitCode> {
  const dryRun = options.dryRun === true;
  const { mode = 'pointInTime' } = options;
  const place = name === undefined ? undefined : await findPlace(nodeVfs, directory, name);
  const asked = place === undefined ? {} : { log: place.name, partition: place.partition };
  const report = await repairDirectory(directory, { ...asked, mode, dryRun });
  if (options.json === true) context.stdout.json({ directory, mode, dryRun, ...report });
  else print(directory, report, dryRun, context);
  return dryRun && !report.isClean ? 1 : 0;
}

function print(directory: string, report: RepairReport, dryRun: boolean, context: Context): void {
  const { stdout, colours } = context;
  for (const problem of report.problems) stdout.line(`${colours.red('wrong')}  ${sentenceOf(problem)}`);
  for (const action of report.actions) stdout.line(`${colours.cyan(verb(dryRun))}  ${actionText(action)}`);
  for (const [key, log] of Object.entries(report.logs))
    if (log.actions.length > 0) printLog(key, log, dryRun, context);
  if (report.trees !== undefined && report.trees.actions.length > 0)
    printTrees(report.trees, dryRun, context);
  stdout.line(`${directory}: ${verdict(report, dryRun, context)}`);
}

function printLog(key: string, log: LogRepairReport, dryRun: boolean, { stdout, colours }: Context): void {
  stdout.line(colours.bold(key));
  for (const problem of log.problems) stdout.line(`  ${colours.red('wrong')}  ${sentenceOf(problem)}`);
  for (const action of log.actions) stdout.line(`  ${colours.cyan(verb(dryRun))}  ${actionText(action)}`);
  const ranges = log.lost.map(({ first, last }) => `${first} to ${last}`).join(', ');
  const lost = log.lost.length === 0 ? 'nothing' : `offsets ${ranges} (${plural(log.lostRecords, 'record')})`;
  stdout.line(`  ${log.lost.length === 0 ? colours.green('lost ') : colours.red('lost ')}  ${lost}`);
}

function printTrees(trees: TreesRepairReport, dryRun: boolean, { stdout, colours }: Context): void {
  stdout.line(colours.bold('trees'));
  for (const problem of trees.problems) stdout.line(`  ${colours.red('wrong')}  ${sentenceOf(problem)}`);
  for (const action of trees.actions) stdout.line(`  ${colours.cyan(verb(dryRun))}  ${actionText(action)}`);
  const lost = lostOf(trees);
  stdout.line(
    `  ${lost.length === 0 ? colours.green('lost ') : colours.red('lost ')}  ${lost.join('; ') || 'nothing'}`,
  );
}

/** What trees have lost, in words. */
function lostOf({ lost, lostWrites }: TreesRepairReport): string[] {
  const words = lostWrites.map(({ first, last }) =>
    last === undefined
      ? `writes of all trees from ${first} on, if there were any`
      : `writes of all trees, ${first} to ${last} (${plural(last - first + 1, 'write')})`,
  );
  if (lost.length > 0) words.unshift(`keys in ${plural(lost.length, 'stretch', 'stretches')}`);
  return words;
}

/** As wide as `wrong`. */
function verb(dryRun: boolean): string {
  return dryRun ? 'to do' : 'done ';
}

function actionText({ kind, file, position, bytes, to, offsets }: RepairAction): string {
  const size = bytes === undefined ? '' : formatBytes(bytes);
  switch (kind) {
    case 'cutOff':
      return `${file} cut off at position ${position}: ${to === undefined ? `${size} of zeros` : `${size} to ${to}`}`;
    case 'setAside':
      return `${file} moved to ${to}`;
    case 'noted':
      return `offsets ${offsets?.first} to ${offsets?.last} noted as lost, at position ${position} of ${file}`;
    case 'created':
      return `${file} made, empty: no offset is given out twice`;
    case 'rebuilt':
      return `${file} made again`;
    case 'removed':
      return `${file} removed`;
  }
}

function verdict(report: RepairReport, dryRun: boolean, { colours }: Context): string {
  if (report.isClean) return colours.green('nothing to repair');
  const logs = Object.values(report.logs).filter(({ actions }) => actions.length > 0).length;
  const what = report.actions.length > 0 && logs === 0 ? 'the database' : plural(logs, 'log');
  const ofTrees =
    report.trees === undefined || lostOf(report.trees).length === 0 ? '' : ', and of trees as told above';
  const lost = `${plural(report.lostRecords, 'record')} lost${ofTrees}`;
  return dryRun
    ? colours.yellow(`${what} to repair, ${lost}; nothing was changed`)
    : colours.green(`${what} repaired, ${lost}`);
}
