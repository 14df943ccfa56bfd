import { formatCount, formatShare, printable } from './format.ts';

/** How often each level occurs: `INFO 1,920 (96 %), WARN 80 (4 %)`, or undefined where there are none. */
export function levelsText(
  levels: readonly { level: string; records: number }[],
  total: number,
): string | undefined {
  if (levels.length === 0) return undefined;
  return levels
    .map(
      ({ level, records }) => `${printable(level)} ${formatCount(records)} (${formatShare(records / total)})`,
    )
    .join(', ');
}
