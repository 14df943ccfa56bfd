import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { renderCsv } from '../../src/lab/report/csv.ts';
import { renderHtml } from '../../src/lab/report/html.ts';
import { resultOf, STRATEGIES } from './results.ts';

const result = resultOf(undefined, 5, [
  {
    strategy: 'interval:50ms',
    promisedLossMs: 50,
    slackMs: 3,
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

const BROWSERS = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
const browser = BROWSERS.find((path) => existsSync(path));

/** Looks at the page from the inside once it is laid out, and writes down what it sees. */
const WITNESS = `<script>
window.onerror = (message) => { document.title = 'failed: ' + message };
addEventListener('load', () => {
  const seen = [...document.querySelectorAll('svg')].map((svg) => ({
    width: Math.round(svg.getBoundingClientRect().width),
    drawn: [...svg.querySelectorAll('.line, circle')].filter((mark) => {
      const box = mark.getBBox();
      const style = getComputedStyle(mark);
      const isColoured = [style.stroke, style.fill].some((colour) => /^rgb/.test(colour) && colour !== 'rgb(0, 0, 0)');
      return box.width + box.height > 0 && isColoured;
    }).length,
    marks: svg.querySelectorAll('.line, circle').length,
    outside: [...svg.querySelectorAll('text')].filter((text) => {
      const box = text.getBBox();
      return box.x < 0 || box.y < 0 || box.x + box.width > 720 || box.y + box.height > 440;
    }).map((text) => text.textContent),
  }));
  const wide = document.documentElement.scrollWidth > innerWidth;
  document.body.dataset.seen = encodeURIComponent(JSON.stringify({ title: document.title, wide, seen }));
});
</script>`;

interface Seen {
  title: string;
  wide: boolean;
  seen: { width: number; drawn: number; marks: number; outside: string[] }[];
}

function look(width: number): Seen {
  const directory = mkdtempSync(join(tmpdir(), 'varve-report-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true, maxRetries: 5 }));
  const page = join(directory, 'report.html');
  writeFileSync(page, renderHtml(result).replace('</body>', `${WITNESS}</body>`));
  const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'];
  const quiet = ['--disable-background-networking', '--disable-component-update', '--disable-sync'];
  const own = [`--user-data-dir=${join(directory, 'profile')}`, `--window-size=${width},900`, '--dump-dom'];
  const found = spawnSync(browser as string, [...flags, ...quiet, ...own, `file://${page}`], {
    encoding: 'utf8',
    timeout: 60_000,
  });
  const text = /data-seen="([^"]*)"/.exec(found.stdout)?.[1];
  if (text === undefined)
    throw new Error(`the browser says nothing of the page: ${found.stderr.slice(-2000)}`);
  return JSON.parse(decodeURIComponent(text)) as Seen;
}

test.skipIf(browser === undefined)(
  'a browser draws every chart, whole, on a desk and on a phone (skipped where there is no Chromium: apt-get install chromium)',
  { timeout: 120_000 },
  () => {
    for (const width of [1000, 500]) {
      const { title, wide, seen } = look(width);
      expect(title).not.toContain('failed');
      expect(wide, `the page is no wider than ${width}`).toBe(false);
      expect(seen.length).toBe(5);
      for (const { drawn, marks, outside, width: drawnWidth } of seen) {
        expect(marks).toBeGreaterThan(3);
        expect(drawn).toBe(marks);
        expect(outside).toEqual([]);
        expect(drawnWidth).toBeGreaterThan(300);
      }
    }
  },
);
