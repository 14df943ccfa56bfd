/**
 * A result as comma-separated values (RFC 4180): one line a cell.
 *
 * @module
 */

import type { CellResult, LabResult } from '../result.ts';

type Column = readonly [name: string, value: (cell: CellResult) => string | number | boolean | null];

const COLUMNS: readonly Column[] = [
  ['strategy', ({ strategy }) => strategy.id],
  ['level', ({ level }) => level],
  ['record_bytes', ({ recordBytes }) => recordBytes],
  ['clients', ({ load }) => (load.kind === 'closed' ? load.clients : null)],
  ['arrivals_per_second', ({ load }) => (load.kind === 'open' ? load.ratePerSecond : null)],
  ['records_per_second', ({ recordsPerSecond }) => recordsPerSecond],
  ['spread', ({ spread }) => spread],
  ['bytes_per_second', ({ bytesPerSecond }) => bytesPerSecond],
  ['share_of_disk', ({ shareOfDisk }) => shareOfDisk],
  ['p50_ms', ({ latencyMs }) => latencyMs.p50],
  ['p99_ms', ({ latencyMs }) => latencyMs.p99],
  ['p999_ms', ({ latencyMs }) => latencyMs.p999],
  ['max_ms', ({ latencyMs }) => latencyMs.max],
  ['syncs_per_second', ({ syncsPerSecond }) => syncsPerSecond],
  ['records_per_sync', ({ recordsPerSync }) => recordsPerSync],
  ['write_amplification', ({ writeAmplification }) => writeAmplification],
  ['disk_amplification', ({ diskAmplification }) => diskAmplification],
  ['promised_loss_ms', ({ promisedLossMs }) => promisedLossMs],
  ['at_risk_ms_max', ({ risk }) => risk.msMax],
  ['at_risk_ms_mean', ({ risk }) => risk.msMean],
  ['at_risk_bytes_max', ({ risk }) => risk.bytesMax],
  ['at_risk_bytes_mean', ({ risk }) => risk.bytesMean],
  ['cpu', ({ cpu }) => cpu],
  ['gave_up', ({ isSaturated }) => isSaturated],
];

function field(value: string | number | boolean | null): string {
  if (value === null || (typeof value === 'number' && !Number.isFinite(value))) return '';
  const text = typeof value === 'number' ? String(Number(value.toPrecision(6))) : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Writes the table, with a line of names. */
export function renderCsv({ cells }: LabResult): string {
  const lines = cells.map((cell) => COLUMNS.map(([, value]) => field(value(cell))).join(','));
  return `${[COLUMNS.map(([name]) => name).join(','), ...lines].join('\r\n')}\r\n`;
}
