/** How much of the machine others used while something was measured. */

import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';

/** Above this share of all cores, others have changed the figures. */
export const DISTURBANCE_MAX = 0.1;

/** Linux counts CPU time in /proc in these, whatever the kernel's own rate (USER_HZ). */
const TICKS_PER_SECOND = 100;

interface Usage {
  /** CPU time of the whole machine, in seconds. */
  readonly all: number;
  /** Of this process and of the children that it has waited for. */
  readonly own: number;
}

function usage(): Usage | undefined {
  let self: string;
  try {
    self = readFileSync('/proc/self/stat', 'utf8');
  } catch {
    return undefined;
  }
  // utime, stime, cutime and cstime are the 14th to 17th field; the second may hold spaces.
  const fields = self.slice(self.lastIndexOf(')') + 2).split(' ');
  const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
  const all = cpus().reduce((sum, { times }) => sum + times.user + times.nice + times.sys + times.irq, 0);
  return { all: all / 1000, own: ticks / TICKS_PER_SECOND };
}

/**
 * Begins to watch.
 *
 * @returns a function that tells which share of all cores others have used since, the kernel's own threads
 *   included; null where the system does not say
 */
export function watchOthers(): () => number | null {
  const before = usage();
  const began = performance.now();
  return () => {
    const after = usage();
    if (before === undefined || after === undefined) return null;
    const seconds = ((performance.now() - began) / 1000) * cpus().length;
    const share = (after.all - before.all - (after.own - before.own)) / seconds;
    return Math.min(1, Math.max(0, Math.round(share * 1000) / 1000));
  };
}
