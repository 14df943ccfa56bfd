/**
 * A bar on the terminal: how much is done, how fast, how long it will take. It is drawn at most ten times
 * a second, on a stream that is a terminal and nowhere else, and wipes itself off.
 *
 * @module
 */

import type { Clock } from '../clock.ts';
import { formatBytes, formatCount } from './format.ts';
import { displayWidth, pad } from './table.ts';

const REDRAW_MS = 100;
/** The rate follows the last few seconds, not the whole run: that is what the time left depends on. */
const RATE_WINDOW_MS = 3000;
const BAR_CELLS_MAX = 30;
const BAR_CELLS_MIN = 5;
const COLUMNS_DEFAULT = 80;
const WIPE = '\r\u001b[2K';
const EIGHTHS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];

/** What a {@link Progress} needs of a stream; `process.stderr` has it. */
export interface ProgressStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

export interface ProgressOptions {
  stream: ProgressStream;
  clock: Clock;
  /** What is being done, one word or two. */
  label: string;
  /** How much there is; without it there is a count and no bar. */
  total?: number;
  /** `bytes` unless told; anything else is counted and named. */
  unit?: string;
  /** Colours the bar. */
  style?: (text: string) => string;
}

export class Progress {
  readonly #options: ProgressOptions;
  readonly #isShown: boolean;
  readonly #startedMs: number;
  #drawnMs: number;
  #windowMs: number;
  #windowDone = 0;
  #recentDone = 0;
  #recentMs = 0;
  #isDrawn = false;

  constructor(options: ProgressOptions) {
    this.#options = options;
    this.#isShown = options.stream.isTTY === true;
    this.#startedMs = options.clock.monotonic();
    this.#drawnMs = this.#startedMs;
    this.#windowMs = this.#startedMs;
  }

  /** Says how much is done by now; cheap enough to be called for every batch. */
  update(done: number): void {
    if (!this.#isShown) return;
    const nowMs = this.#options.clock.monotonic();
    if (nowMs - this.#drawnMs < REDRAW_MS) return;
    this.#measure(done, nowMs);
    this.#drawnMs = nowMs;
    this.#isDrawn = true;
    this.#options.stream.write(WIPE + this.#draw(done, nowMs));
  }

  /** Wipes the bar off; the next `update` draws it again. */
  clear(): void {
    if (!this.#isDrawn) return;
    this.#isDrawn = false;
    this.#options.stream.write(WIPE);
  }

  /** A mean in which what is longer ago counts less. */
  #measure(done: number, nowMs: number): void {
    const elapsedMs = nowMs - this.#windowMs;
    const fading = Math.exp(-elapsedMs / RATE_WINDOW_MS);
    this.#recentDone = this.#recentDone * fading + (done - this.#windowDone);
    this.#recentMs = this.#recentMs * fading + elapsedMs;
    this.#windowMs = nowMs;
    this.#windowDone = done;
  }

  #draw(done: number, nowMs: number): string {
    const { label, total, unit = 'bytes', style = (text: string) => text } = this.#options;
    const amount = (value: number): string => (unit === 'bytes' ? formatBytes(value) : formatCount(value));
    const rate = this.#recentMs > 0 ? this.#recentDone / this.#recentMs : 0;
    const perSecond = `${amount(Math.max(0, rate * 1000))}${unit === 'bytes' ? '' : ` ${unit}`}/s`;
    // A terminal that does not know its width says 0.
    const width = (this.#options.stream.columns || COLUMNS_DEFAULT) - 1;
    if (total === undefined || total <= 0) {
      const counted = unit === 'bytes' ? amount(done) : `${amount(done)} ${unit}`;
      return fit(`${label}  ${counted}  ${perSecond}  ${clockText(nowMs - this.#startedMs)}`, width);
    }
    const share = Math.min(1, Math.max(0, done / total));
    const left = rate > 0 ? `${clockText((total - done) / rate)} left` : '';
    const facts = [
      pad(`${Math.floor(share * 100)}%`, 4, 'right'),
      `${amount(done)} of ${amount(total)}`,
      perSecond,
      left,
    ];
    const text = facts.filter((fact) => fact !== '').join('  ');
    const cells = Math.min(BAR_CELLS_MAX, width - displayWidth(label) - displayWidth(text) - 4);
    if (cells < BAR_CELLS_MIN) return fit(`${label}  ${text.trimStart()}`, width);
    return `${label}  ${style(bar(share, cells))}  ${text}`;
  }
}

function bar(share: number, cells: number): string {
  const eighths = Math.floor(share * cells * 8);
  const full = '█'.repeat(eighths >> 3) + (EIGHTHS[eighths & 7] ?? '');
  return full + '░'.repeat(cells - displayWidth(full));
}

/** A line that is wider than the terminal would wrap, and could not be wiped off. */
function fit(text: string, width: number): string {
  return displayWidth(text) <= width ? text : text.slice(0, Math.max(0, width));
}

/** `0:07`, `12:34`, `1:02:03`. */
function clockText(durationMs: number): string {
  const seconds = Math.max(0, Math.round(durationMs / 1000));
  const rest = `${String(Math.floor(seconds / 60) % 60).padStart(seconds >= 3600 ? 2 : 1, '0')}:${String(seconds % 60).padStart(2, '0')}`;
  return seconds >= 3600 ? `${Math.floor(seconds / 3600)}:${rest}` : rest;
}
