/** What opening a log met and did. */

import type { Quarantined } from './quarantine.ts';

/** Damage that recovery met and, in its mode, could live with. */
export interface Damage {
  file: string;
  position: number;
  firstOffset: number;
  lastOffset: number;
}

/** What recovery did. */
export interface RecoveryReport {
  /** The log had been closed: nothing was scanned. */
  wasClean: boolean;
  scannedSegments: number;
  scannedBytes: number;
  /** Torn writes that were cut off. */
  tornTails: number;
  quarantined: Quarantined[];
  damage: Damage[];
  /** Losses that a repair has noted: they are stepped over. */
  gaps: Damage[];
  elapsedMs: number;
}
