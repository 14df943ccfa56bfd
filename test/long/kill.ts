/**
 * The campaign against SIGKILL. A process appends under load with random options; it is killed at a random
 * moment; this one looks at what is left (kill-check.ts) and starts the next, on the same directory, so
 * that recoveries stack up.
 *
 * Only what came out of the pipe before it ended counts as acknowledged. The moment of a kill from outside
 * depends on the machine, so a seed repeats the plan of a campaign and not every byte of it; where the
 * process kills itself at a chosen call to the disk, that is closer.
 *
 * @module
 */

import { spawn } from 'node:child_process';
import { join } from 'node:path';
import type { LogOptions } from '../../src/log/options.ts';
import type { SyncPolicy } from '../../src/log/sync-policy.ts';
import { createRuntime, type Runtime } from '../../src/runtime.ts';
import { compileProgram } from '../kit/compile.ts';
import { createRandom, type Random } from '../kit/random.ts';
import type { CampaignResult, Progress } from './campaign.ts';
import { Contents } from './contents.ts';
import { Survivor } from './kill-check.ts';
import {
  type Acknowledged,
  CLIENT_KINDS,
  type ClientKind,
  decodeFrames,
  FRAME_BYTES,
  type Incarnation,
  READY,
} from './kill-plan.ts';

export interface KillCampaignOptions {
  /** How many processes are killed. */
  rounds: number;
  seed: number;
  /** An empty directory to work in. */
  directory: string;
  /** The policies to choose from; all of them unless given. */
  policies?: readonly SyncPolicy[];
  /** Stop when `performance.now()` is there, even if rounds are left. */
  untilMs?: number;
  onProgress?: (progress: Progress) => void;
}

export interface KillCampaignResult extends CampaignResult {
  acknowledged: number;
  recovered: number;
  /** The most segments that a log had. */
  segments: number;
  /** Segments that had to be scanned. */
  scans: number;
}

const ROUNDS_A_DIRECTORY = 20;
/** A process that was to die by itself, or by its count of records, is killed after this long. */
const LIFE_MS_MAX = 1500;
const MEMORY_BYTES = 128 << 20;
const POLICIES: readonly SyncPolicy[] = [
  { mode: 'always' },
  { mode: 'batch', maxRecords: 50, maxDelayMs: 5 },
  { mode: 'batch', maxBytes: 64 * 1024, maxDelayMs: 20 },
  { mode: 'interval', intervalMs: 20 },
  { mode: 'adaptive', maxDelayMs: 3 },
  { mode: 'never' },
];

/** When a process is killed. */
type Kill =
  /** So long after it was started: it may still be recovering. */
  | { at: 'start'; afterMs: number }
  /** So long after the log was open. */
  | { at: 'load'; afterMs: number }
  /** When so many records came out of the pipe. */
  | { at: 'acknowledged'; count: number }
  /** By itself, in its call to the disk with this number. */
  | { at: 'call'; call: number };

function chooseKill(random: Random): Kill {
  const kind = random.next();
  if (kind < 0.1) return { at: 'start', afterMs: random.int(100, 500) };
  if (kind < 0.4) return { at: 'load', afterMs: random.int(0, 600) };
  if (kind < 0.65) return { at: 'acknowledged', count: random.int(1, 3000) };
  return { at: 'call', call: Math.floor(2 ** (random.next() * 11)) };
}

function chooseOptions(random: Random, policies: readonly SyncPolicy[]): LogOptions {
  return {
    sync: random.pick(policies),
    segmentBytes: random.pick([64, 256, 1024]) * 1024,
    batchBytes: random.pick([1024, 16 * 1024]),
    bufferBytes: random.pick([64 * 1024, 1024 * 1024]),
    indexIntervalBytes: random.pick([512, 4096]),
    preallocate: random.chance(0.25),
  };
}

function chooseClients(random: Random): ClientKind[] {
  const writers = CLIENT_KINDS.filter((kind) => kind !== 'follow' && kind !== 'get');
  const clients = Array.from({ length: random.int(1, 8) }, () => random.pick<ClientKind>(writers));
  if (random.chance(0.3)) clients.push('follow');
  if (random.chance(0.3)) clients.push('get');
  return clients;
}

/** Runs a process to its death. Resolves with what it got acknowledged; rejects where it was not killed. */
function live(program: string, incarnation: Incarnation, kill: Kill): Promise<Acknowledged[]> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [program, JSON.stringify(incarnation)], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: {},
    });
    const chunks: Buffer[] = [];
    let bytes = 0;
    let complaint = '';
    const end = (): void => void child.kill('SIGKILL');
    const timers: NodeJS.Timeout[] = [];
    if (kill.at === 'start') timers.push(setTimeout(end, kill.afterMs));
    child.stdout.on('data', (chunk: Buffer) => {
      if (bytes === 0 && kill.at !== 'start') {
        timers.push(setTimeout(end, kill.at === 'load' ? kill.afterMs : LIFE_MS_MAX));
      }
      chunks.push(chunk);
      bytes += chunk.length;
      if (kill.at === 'acknowledged' && bytes >= (kill.count + 1) * FRAME_BYTES) end();
    });
    child.stderr.on('data', (chunk: Buffer) => {
      complaint += chunk.toString();
    });
    child.on('error', reject);
    // `close` comes when the pipes have ended, so everything that it got out has been read.
    child.on('close', (code, signal) => {
      for (const timer of timers) clearTimeout(timer);
      const isKilled =
        signal === 'SIGKILL' || (process.platform === 'win32' && code === 1 && complaint === '');
      if (!isKilled)
        reject(new Error(`the process ended by itself (${signal ?? code}): ${complaint.slice(0, 4000)}`));
      else resolve(decodeFrames(Buffer.concat(chunks)).filter(({ client }) => client !== READY));
    });
  });
}

/** One campaign under way. */
class KillCampaign {
  readonly #options: KillCampaignOptions;
  readonly #random: Random;
  readonly #contents: Contents;
  readonly #runtime: Runtime;
  readonly #program: string;
  readonly #result: KillCampaignResult = {
    passed: 0,
    failures: [],
    summary: '',
    acknowledged: 0,
    recovered: 0,
    segments: 0,
    scans: 0,
  };
  #survivor: Survivor | undefined;
  #directories = 0;
  #roundsHere = 0;

  constructor(options: KillCampaignOptions, runtime: Runtime, program: string) {
    this.#options = options;
    this.#random = createRandom(options.seed);
    this.#contents = new Contents(options.seed);
    this.#runtime = runtime;
    this.#program = program;
  }

  async run(): Promise<KillCampaignResult> {
    const { rounds, untilMs = Infinity, onProgress } = this.#options;
    const result = this.#result;
    for (let round = 1; round <= rounds && performance.now() < untilMs; round++) {
      await this.#round(round);
      const done = result.passed + result.failures.length;
      const note = `${result.acknowledged} records acknowledged`;
      const total = rounds === Infinity ? undefined : rounds;
      onProgress?.({ done, total, failed: result.failures.length, note });
    }
    this.#leave();
    result.summary = `${result.acknowledged} records acknowledged, ${result.recovered} recovered, ${result.scans} segments scanned`;
    return result;
  }

  async #round(round: number): Promise<void> {
    const survivor = this.#here();
    const random = this.#random;
    const kill = chooseKill(random);
    const clients = chooseClients(random);
    const options = chooseOptions(random, this.#options.policies ?? POLICIES);
    const incarnation: Incarnation = {
      directory: survivor.directory,
      contentSeed: this.#options.seed,
      seed: random.int(0, 2 ** 31),
      firstClient: survivor.nextClient,
      clients,
      records: random.int(500, 6000),
      options,
      fatalCall: kill.at === 'call' ? kill.call : undefined,
      fatalShare: random.chance(0.5) ? random.next() : 0,
    };
    // What is left to the next process is recovered by it, and that may be killed meanwhile.
    const looks = random.chance(0.5);
    const recovers = random.chance(0.6) || !looks;
    survivor.nextClient += clients.length;
    try {
      const acknowledged = await live(this.#program, incarnation, kill);
      this.#result.acknowledged += acknowledged.length;
      if (looks) await survivor.look(acknowledged);
      if (recovers) await survivor.recover(acknowledged, options);
      this.#result.passed++;
    } catch (error) {
      const plan = JSON.stringify({ kill, looks, recovers, incarnation });
      const reason = error instanceof Error ? (error.stack ?? error.message) : String(error);
      this.#result.failures.push(`seed ${this.#options.seed}, round ${round}: ${reason}\n${plan}`);
      // What failed is left as it is, for whoever looks into it.
      this.#leave();
    }
  }

  #here(): Survivor {
    if (this.#survivor === undefined || this.#roundsHere === ROUNDS_A_DIRECTORY) {
      this.#leave();
      const directory = join(this.#options.directory, String(++this.#directories));
      this.#survivor = new Survivor(directory, this.#contents, this.#runtime, this.#random);
    }
    this.#roundsHere++;
    return this.#survivor;
  }

  #leave(): void {
    const survivor = this.#survivor;
    this.#survivor = undefined;
    this.#roundsHere = 0;
    if (survivor === undefined) return;
    this.#result.recovered += survivor.records;
    this.#result.scans += survivor.findings.scans;
    this.#result.segments = Math.max(this.#result.segments, survivor.findings.segments);
  }
}

/** Kills processes, and looks at what they leave behind. */
export async function killCampaign(options: KillCampaignOptions): Promise<KillCampaignResult> {
  const program = compileProgram('test/long/kill-program.ts');
  const runtime = createRuntime({ memoryBytes: MEMORY_BYTES, threads: 1 });
  try {
    return await new KillCampaign(options, runtime, program.path).run();
  } finally {
    await runtime.close();
    program.dispose();
  }
}
