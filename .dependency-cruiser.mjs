/**
 * The import rules, as dependency-cruiser reads them. Who may import whom is written in layers.json, which
 * test/repo.test.ts reads too; imports point down, and what is not listed there is not allowed.
 */

import { readFileSync } from 'node:fs';

const { layerOf, mayImport, onlyIn } = JSON.parse(
  readFileSync(new URL('./layers.json', import.meta.url), 'utf8'),
);

const escaped = (text) => text.replaceAll(/[.*+?^${}()|[\]\\/]/g, '\\$&');
const anyOf = (patterns) => (patterns.length === 0 ? '^$' : `^(?:${patterns.join('|')})`);

/** The files of a layer: a folder of src, and the files that are assigned to it by name. */
function patternsOf(layer) {
  const files = Object.keys(layerOf).filter((path) => layerOf[path] === layer);
  return [`${escaped(`src/${layer}`)}/`, ...files.map((path) => `${escaped(path)}$`)];
}

const layerRules = Object.entries(mayImport).map(([layer, lower]) => ({
  from: { path: anyOf(patternsOf(layer)) },
  to: { path: anyOf([layer, ...lower].flatMap(patternsOf)) },
}));

/** Node's own modules and packages come with and without `node:`, and packages as a path. */
const outsidePattern = (name) =>
  `^(?:node:)?${escaped(name.replace(/^node:/, ''))}$|node_modules/${escaped(name)}/`;

const onlyInRules = Object.entries(onlyIn).map(([name, places]) => ({
  name: `only-here:${name}`,
  comment: `${name} may be imported in: ${places.join(', ') || 'no file of src'} (layers.json)`,
  severity: 'error',
  from: { path: '^src/', pathNot: places.map((place) => `^${escaped(place)}`) },
  to: { path: outsidePattern(name) },
}));

const packages = Object.keys(onlyIn).filter((name) => !name.startsWith('node:'));

export default {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    { name: 'no-unresolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
    ...onlyInRules,
  ],
  allowedSeverity: 'error',
  allowed: [
    ...layerRules,
    { from: { path: '^src/' }, to: { dependencyTypes: ['core'] } },
    { from: { path: '^src/' }, to: { path: packages.map(outsidePattern) } },
    {
      from: { path: '^assembly/' },
      to: {
        path: [
          '^assembly/',
          '^src/memory/(layout|program-layout|lsm-layout|table-layout|lookup-layout|key-map-layout)\\.ts$',
        ],
      },
    },
    { from: { path: '^(?:test|bench|scripts)/|^[^/]+$' }, to: {} },
  ],
  options: {
    doNotFollow: { path: ['node_modules', '^dist/'] },
    exclude: { path: '^bench/peers/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
    },
  },
};
