import { expect, test } from 'vitest';
import { renderCsv } from '../../src/lab/report/csv.ts';
import { renderHtml } from '../../src/lab/report/html.ts';
import { resultOf, STRATEGIES } from './results.ts';

const result = resultOf(undefined, 5, [
  {
    strategy: 'interval:50ms',
    promisedLossMs: 50,
    closest: { atMs: 20, lostRecords: 12, lostMs: 48, syncMs: 2, lateMs: 1 },
    each: [{ atMs: 20, lostRecords: 12, lostMs: 48, syncMs: 2, lateMs: 1 }],
    cuts: 10,
    states: 30,
    acknowledged: 1000,
    lostRecords: 12,
    lostMs: 48,
    isKept: true,
  },
]);

test('the page has every strategy, warning and setting, and nothing of it can break out', () => {
  const html = renderHtml(result);
  for (const { id } of STRATEGIES) expect(html).toContain(`>${id}<`);
  expect(html).toContain('Something is &lt;odd&gt;.');
  expect(html).toContain('/mnt/&lt;disk&gt; &amp; more');
  expect(html).not.toContain('<odd>');
  expect(html).not.toContain('<disk>');
});

test('the page fetches nothing, and its result can be read back', () => {
  const html = renderHtml(result);
  expect(html).not.toMatch(/(?:src|href)\s*=|@import|url\(/);
  const json = /<script type="application\/json" id="result">(.*?)<\/script>/s.exec(html)?.[1];
  expect(JSON.parse(json ?? '')).toEqual(JSON.parse(JSON.stringify(result)));
});

test('no number in a drawing is broken', () => {
  const html = renderHtml(result);
  expect(html.slice(0, html.indexOf('<script'))).not.toMatch(/NaN|Infinity|undefined/);
});

test('the table as CSV has a line for each cell and as many fields as names', () => {
  const lines = renderCsv(result).trimEnd().split('\r\n');
  expect(lines).toHaveLength(result.cells.length + 1);
  const fields = (line: string | undefined): number => (line?.match(/,/g)?.length ?? 0) + 1;
  for (const line of lines) expect(fields(line)).toBe(fields(lines[0]));
});

test('what a policy without a promise had at risk is a lower bound, and one that syncs has nothing to say', () => {
  const html = renderHtml(result);
  const rows = (id: string): string[] =>
    html.match(new RegExp(`<tr><td[^>]*>${id}</td>.*?</tr>`, 'gs')) ?? [];
  expect(rows('never')[0]).toContain('≥ 55 (mean 25)');
  expect(rows('always')[0]).not.toContain('mean');
  expect(rows('interval:50ms')[0]).toContain('>50 ms</td><td data-title="+ in syncs">2 ms</td>');
});
