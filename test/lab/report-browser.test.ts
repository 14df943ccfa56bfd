/** The report, looked at in a real browser: on a desk and on a phone, in the light and in the dark. */

import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Browser, chromium } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { renderHtml } from '../../src/lab/report/html.ts';
import { resultOf } from './results.ts';

const BROWSERS = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
const executablePath = BROWSERS.find((path) => existsSync(path));

/** What the page looks like from the inside. */
interface Seen {
  readonly pageWidth: number;
  readonly background: string;
  readonly text: string;
  /** Of each drawing that is shown. */
  readonly charts: readonly Drawn[];
  /** Elements that stick out at the right, and parts that can be scrolled sideways. */
  readonly outside: readonly string[];
  readonly scrolling: readonly string[];
}

interface Drawn {
  readonly width: number;
  readonly marks: number;
  /** Marks that have a size, and a colour that is not the paper's. */
  readonly visible: number;
  /** Letters that lie outside of the drawing, and names that lie on one another. */
  readonly lost: readonly string[];
  readonly collisions: readonly string[];
  readonly letterPx: number;
}

/** Runs inside of the page, whose types are not those of Node. */
const LOOK = `(() => {
  const paper = getComputedStyle(document.body).backgroundColor;
  const isShown = (element) => element.getClientRects().length > 0;
  const collide = (a, b) =>
    Math.abs(a.y - b.y) < a.height * 0.7 && a.x < b.x + b.width && b.x < a.x + a.width;
  const charts = [...document.querySelectorAll('svg')].filter(isShown).map((svg) => {
    const frame = svg.getBoundingClientRect();
    const marks = [...svg.querySelectorAll('.line, circle')];
    const texts = [...svg.querySelectorAll('text')];
    const names = texts.filter((text) => text.classList.contains('name'));
    const isVisible = (mark) => {
      const box = mark.getBBox();
      const { stroke, fill } = getComputedStyle(mark);
      const colour = mark.tagName === 'circle' ? fill : stroke;
      return box.width + box.height > 0 && /^rgb/.test(colour) && colour !== paper;
    };
    const isLost = (text) => {
      const box = text.getBoundingClientRect();
      return box.left < frame.left - 1 || box.right > frame.right + 1 || box.bottom > frame.bottom + 1;
    };
    return {
      width: frame.width,
      marks: marks.length,
      visible: marks.filter(isVisible).length,
      lost: texts.filter(isLost).map((text) => text.textContent),
      collisions: names.flatMap((name, i) =>
        names
          .slice(i + 1)
          .filter((other) => collide(name.getBBox(), other.getBBox()))
          .map((other) => name.textContent + ' and ' + other.textContent)),
      letterPx: (parseFloat(getComputedStyle(texts[0]).fontSize) * frame.width) / svg.viewBox.baseVal.width,
    };
  });
  return {
    pageWidth: document.documentElement.scrollWidth,
    background: paper,
    text: getComputedStyle(document.body).color,
    charts,
    outside: [...document.querySelectorAll('main *')]
      .filter((element) => isShown(element) && element.getBoundingClientRect().right > innerWidth + 1)
      .map((element) => element.tagName + ' ' + element.textContent.slice(0, 40)),
    scrolling: [...document.querySelectorAll('.scroll')]
      .filter((element) => element.scrollWidth > element.clientWidth + 1)
      .map((element) => element.scrollWidth + ' in ' + element.clientWidth),
  };
})()`;

/** How light a colour is, from 0 to 255. */
function lightness(colour: string): number {
  const [red = 0, green = 0, blue = 0] = (colour.match(/\d+/g) ?? []).map(Number);
  return 0.3 * red + 0.6 * green + 0.1 * blue;
}

describe.skipIf(executablePath === undefined)(
  'in a browser (skipped where there is no Chromium: install it with "apt-get install chromium")',
  () => {
    const directory = mkdtempSync(join(tmpdir(), 'varve-report-'));
    const page = join(directory, 'report.html');
    let browser: Browser;

    beforeAll(async () => {
      writeFileSync(page, renderHtml(resultOf()));
      browser = await chromium.launch({
        executablePath: executablePath as string,
        args: ['--no-sandbox', '--disable-gpu'],
        timeout: 90_000,
      });
    }, 120_000);

    afterAll(async () => {
      await browser.close();
      rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
    }, 60_000);

    async function seenAt(width: number, colorScheme: 'light' | 'dark'): Promise<Seen> {
      const isMobile = width < 600;
      const context = await browser.newContext({ viewport: { width, height: 844 }, colorScheme, isMobile });
      const tab = await context.newPage();
      const failures: string[] = [];
      tab.on('pageerror', (error) => failures.push(error.message));
      tab.on('console', (message) => {
        if (message.type() === 'error') failures.push(message.text());
      });
      await tab.goto(`file://${page}`);
      // All tables are to be looked at, not only the first.
      await tab.evaluate('for (const details of document.querySelectorAll("details")) details.open = true');
      const seen = await tab.evaluate<Seen>(LOOK);
      expect(failures).toEqual([]);
      await context.close();
      return seen;
    }

    for (const scheme of ['light', 'dark'] as const) {
      for (const width of [390, 1280]) {
        test(`every chart is drawn whole, ${width} pixels wide, in the ${scheme}`, {
          timeout: 60_000,
        }, async () => {
          const seen = await seenAt(width, scheme);
          expect(seen.pageWidth).toBe(width);
          expect(lightness(seen.background) > lightness(seen.text)).toBe(scheme === 'light');
          expect(seen.charts).toHaveLength(5);
          for (const { width: drawn, marks, visible, lost, collisions, letterPx } of seen.charts) {
            expect(drawn).toBeGreaterThan(300);
            expect(marks).toBeGreaterThan(3);
            expect(visible).toBe(marks);
            expect(lost).toEqual([]);
            expect(collisions).toEqual([]);
            expect(letterPx).toBeGreaterThan(9.5);
          }
          expect(seen.scrolling).toEqual([]);
          expect(seen.outside).toEqual([]);
        });
      }
    }
  },
);
