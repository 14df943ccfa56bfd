/**
 * The style sheet of the report: light and dark, and narrow enough for a phone. The colours of the series
 * are told apart by people who see few colours too (Okabe and Ito, 2008, extended by darker and lighter ones).
 *
 * @module
 */

const LIGHT = [
  '#6b7280',
  '#9ca3af',
  '#0072b2',
  '#56b4e9',
  '#003f6b',
  '#009e73',
  '#b8860b',
  '#e69f00',
  '#d55e00',
  '#cc79a7',
  '#a23b72',
  '#7b2d8b',
  '#111827',
  '#4d7c0f',
  '#0f766e',
  '#be123c',
  '#8b5e34',
  '#4338ca',
];

const DARK = [
  '#9ca3af',
  '#6b7280',
  '#5aa9e6',
  '#9bd4f5',
  '#2f7fb8',
  '#2fd3a4',
  '#d9b13b',
  '#ffc04d',
  '#ff8a4c',
  '#eaa4cb',
  '#d46ba3',
  '#b77bd1',
  '#f3f4f6',
  '#a3c45c',
  '#5eead4',
  '#fb7185',
  '#d6a77a',
  '#a5b4fc',
];

/** How many series have a colour of their own. */
export const COLOURS: number = LIGHT.length;

const variables = (colours: readonly string[]): string =>
  colours.map((colour, i) => `--c${i}:${colour}`).join(';');

const classes = LIGHT.map((_, i) => `.c${i}{--colour:var(--c${i})}`).join('');

export const STYLE: string = `
:root{${variables(LIGHT)};--text:#1f2937;--faint:#6b7280;--grid:#e5e7eb;--paper:#fff;--warn:#fef3c7}
@media (prefers-color-scheme:dark){:root{${variables(DARK)};--text:#e5e7eb;--faint:#9ca3af;--grid:#374151;--paper:#111827;--warn:#423306}}
${classes}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--text);font:16px/1.5 system-ui,sans-serif}
main{max-width:78rem;margin:0 auto;padding:1.5rem 1rem 4rem}
.lead,.warnings,section>p{max-width:56rem}
h1{font-size:1.6rem;line-height:1.2;margin:0 0 .5rem}
h2{font-size:1.15rem;margin:2.5rem 0 .5rem}
.lead{color:var(--faint);margin:0 0 1.5rem}
.warnings{background:var(--warn);border-radius:.5rem;padding:.1rem 1rem .6rem}
.warnings h2{margin:.8rem 0 .2rem}
.warnings ul{margin:0;padding-left:1.2rem}
.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,34rem),1fr));gap:2.5rem 2rem;margin-top:2.5rem}
figure{margin:0;min-width:0}
figcaption{font-weight:600;margin-bottom:.25rem}
.scroll{overflow-x:auto}
svg{display:block;width:100%;height:auto}
svg.narrow{display:none}
.grid{stroke:var(--grid);stroke-width:1}
.tick,.axis{fill:var(--faint);font:14px system-ui,sans-serif}
.name{fill:var(--colour);font:14px system-ui,sans-serif}
.line{fill:none;stroke:var(--colour);stroke-width:2.2;stroke-linejoin:round}
.series circle{fill:var(--colour);stroke:var(--paper);stroke-width:1.2}
.reference .line{stroke-width:1.6;stroke-dasharray:5 5}
.legend{display:flex;flex-wrap:wrap;gap:.2rem 1.1rem;list-style:none;margin:.4rem 0 0;padding:0;font-size:.85rem}
.legend li{display:flex;align-items:center;gap:.4rem}
.legend i{width:1.4rem;border-top:3px solid var(--colour)}
.legend .reference i{border-top-style:dashed}
table{border-collapse:collapse;font-size:.8rem;font-variant-numeric:tabular-nums}
th,td{padding:.25rem .4rem;text-align:right;white-space:nowrap;border-bottom:1px solid var(--grid)}
th{color:var(--faint);font-weight:600}
th:first-child,td:first-child{text-align:left;position:sticky;left:0;background:var(--paper)}
details{margin:.6rem 0}
summary{cursor:pointer;font-weight:600;padding:.3rem 0}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.15rem 1rem;font-size:.9rem;margin:0}
dt{color:var(--faint)}
dd{margin:0;overflow-wrap:anywhere}
@media (max-width:40rem){
svg.wide{display:none}
svg.narrow{display:block}
.narrow .tick,.narrow .axis,.narrow .name{font-size:11px}
thead{display:none}
table,tbody{display:block}
tr{display:grid;grid-template-columns:1fr 1fr;gap:0 1rem;padding:.5rem 0;border-bottom:1px solid var(--grid)}
td,td:first-child{display:flex;justify-content:space-between;gap:.5rem;padding:.1rem 0;border:0;white-space:normal;text-align:right;position:static}
td:first-child{grid-column:1/-1;font-weight:600;text-align:left}
td:not(:first-child)::before{content:attr(data-title);color:var(--faint);text-align:left}
td.long{grid-column:1/-1}
td:empty{display:none}
dl{grid-template-columns:1fr}
dt{margin-top:.4rem}
}
`;
