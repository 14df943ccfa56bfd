/**
 * `npm run test:long`: campaigns, tests that go on for as long as they are given.
 *
 *     npm run test:long                                   each campaign by its own measure
 *     npm run test:long -- --campaign kill --minutes 30   one of them, for half an hour
 *     npm run test:long -- --seed 42                      a run that was seen before
 *
 * The last line says how many passed and failed; the exit code is 1 where any failed. A campaign is added
 * in a file of its own, and to the list below.
 *
 * @module
 */

import { parseArgs } from 'node:util';
import type { Campaign, CampaignResult, Progress } from './campaign.ts';
import { crash, fault, fuzz, rotting, simulation, treeRotting } from './campaigns.ts';
import { kill } from './kill-campaign.ts';
import { treeCrash, treeFault, treeFuzz, treeSimulation } from './store-campaigns.ts';
import { treeKill } from './store-kill.ts';

const CAMPAIGNS: readonly Campaign[] = [
  crash,
  fault,
  rotting,
  simulation,
  fuzz,
  kill,
  treeCrash,
  treeFault,
  treeSimulation,
  treeFuzz,
  treeKill,
  treeRotting,
];
/** Where there is no terminal to draw a line on, one is printed this often. */
const LINE_EVERY_MS = 15_000;

interface Options {
  campaigns: readonly Campaign[];
  seed: number;
  untilMs: number | undefined;
}

/** Stops with one sentence. */
function refuse(sentence: string): never {
  process.stderr.write(`test:long: ${sentence}\n`);
  process.exit(2);
}

function numberOf(name: string, text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value) || value < 0)
    refuse(`--${name} must be a number, not ${text}`);
  return value;
}

function readOptions(): Options {
  const names = CAMPAIGNS.map(({ name }) => name).join(', ');
  let values: { seed?: string; minutes?: string; campaign?: string[] };
  try {
    ({ values } = parseArgs({
      options: {
        seed: { type: 'string' },
        minutes: { type: 'string' },
        campaign: { type: 'string', multiple: true },
      },
    }));
  } catch (error) {
    refuse(error instanceof Error ? error.message : String(error));
  }
  const campaigns = (values.campaign ?? CAMPAIGNS.map(({ name }) => name)).map(
    (asked) =>
      CAMPAIGNS.find(({ name }) => name === asked) ??
      refuse(`no campaign is named ${asked}; there are: ${names}`),
  );
  const seed =
    values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : numberOf('seed', values.seed);
  const minutes =
    values.minutes === undefined ? undefined : numberOf('minutes', values.minutes) / campaigns.length;
  return { campaigns, seed, untilMs: minutes === undefined ? undefined : minutes * 60_000 };
}

/** Shows how far a campaign is: on one line that is drawn again, or on a new one now and then. */
function createDisplay(name: string): { show: (progress: Progress) => void; clear: () => void } {
  const { stdout } = process;
  let lastMs = performance.now();
  return {
    show({ done, total, failed, note }) {
      const line = `${name}: ${done}${total === undefined ? '' : ` of ${total}`}, ${failed} failed; ${note}`;
      if (stdout.isTTY) {
        stdout.write(`\r\u001b[K${line.slice(0, stdout.columns - 1)}`);
      } else if (performance.now() - lastMs >= LINE_EVERY_MS) {
        lastMs = performance.now();
        stdout.write(`${line}\n`);
      }
    },
    clear: () => void (stdout.isTTY && stdout.write('\r\u001b[K')),
  };
}

async function runOne(campaign: Campaign, { seed, untilMs }: Options): Promise<CampaignResult> {
  const display = createDisplay(campaign.name);
  const startMs = performance.now();
  let result: CampaignResult;
  try {
    result = await campaign.run({
      seed,
      untilMs: untilMs === undefined ? undefined : startMs + untilMs,
      onProgress: display.show,
    });
  } catch (error) {
    const reason = error instanceof Error ? (error.stack ?? error.message) : String(error);
    result = { passed: 0, failures: [reason], summary: 'it could not go on' };
  }
  display.clear();
  const { passed, failures, summary } = result;
  const seconds = Math.round((performance.now() - startMs) / 1000);
  process.stdout.write(
    `${campaign.name}: ${passed} passed, ${failures.length} failed in ${seconds} s; ${summary}\n`,
  );
  for (const failure of failures) process.stdout.write(`${failure.replaceAll(/^/gm, '    ')}\n`);
  return result;
}

const options = readOptions();
process.stdout.write(`seed ${options.seed}\n`);
let passed = 0;
let failed = 0;
for (const campaign of options.campaigns) {
  const result = await runOne(campaign, options);
  passed += result.passed;
  failed += result.failures.length;
}
process.stdout.write(`${passed} passed, ${failed} failed\n`);
process.exitCode = failed === 0 ? 0 : 1;
