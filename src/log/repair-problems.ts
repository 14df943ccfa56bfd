/** What is wrong with a log for one who is going to repair it: also what opening it would mend by itself. */

import { joinPath } from '../vfs/vfs.ts';
import type { Leftover } from './judge.ts';
import { segmentFileName } from './names.ts';
import type { LogSurvey } from './survey.ts';
import {
  checkpointProblems,
  derivedProblems,
  type Problem,
  problemOf,
  problemOfLeftover,
  unfinished,
} from './verify.ts';

/** Everything that a repair would change something about, in the order of the offsets. */
export function problemsOf(survey: LogSurvey): Problem[] {
  const { judgement, files, expired, directory } = survey;
  const { losses, leftovers, firstOffset } = judgement;
  const problems = losses.map((loss) => {
    const problem = problemOf(loss, firstOffset);
    return loss.isTorn ? { ...problem, message: unfinished(loss).message } : problem;
  });
  for (const leftover of leftovers) {
    const problem = problemOfLeftover(leftover) ?? minorProblem(leftover);
    if (problem !== undefined) problems.push(problem);
  }
  problems.push(...derivedProblems(survey), ...checkpointProblems(survey));
  const add = (file: string, what: string): void => {
    problems.push({ file, position: 0, offsets: undefined, message: `${file} ${what}` });
  };
  for (const { file } of files.temporaries) add(file, 'was left behind');
  for (const { file } of files.orphans) add(file, 'belongs to a segment that is not there');
  for (const base of expired) {
    add(
      joinPath(directory, segmentFileName(base, 'log')),
      'had been removed from the log, but for its files',
    );
  }
  return problems;
}

/** What opening the log passes over in silence. */
function minorProblem({ kind, file, position, bytes }: Leftover): Problem | undefined {
  if (kind === 'zeros') return undefined;
  const message =
    kind === 'blank'
      ? `${file} was begun and never written to`
      : `${file} has ${bytes} bytes at position ${position} that a failed write left behind`;
  return { file, position, offsets: undefined, message };
}
