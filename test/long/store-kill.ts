/**
 * SIGKILL for processes that write to trees and stores: each is killed at a random moment, or kills itself in the
 * middle of a call to the disk; what it left is compared with the model, and the next one goes on there.
 *
 * Only what came out of the pipe counts. The moment of a kill from outside depends on the machine, so a seed repeats
 * the plan, and not every byte of it.
 *
 * @module
 */

import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../src/clock.ts';
import { createRuntime, type Runtime } from '../../src/runtime.ts';
import { nodeVfs } from '../../src/vfs/node.ts';
import { compileProgram } from '../kit/compile.ts';
import { createRandom, type Random } from '../kit/random.ts';
import type { Campaign, CampaignResult, CampaignRun } from './campaign.ts';
import { openStores } from './open-stores.ts';
import { reasonOf } from './rounds.ts';
import { READY_LINE, type StoreLife } from './store-kill-plan.ts';
import { type Piece, StoreModel } from './store-model.ts';
import { eventWrite, kvWrites, type Size, treeWrite } from './store-operations.ts';
import { readStores, verifyStores } from './store-reading.ts';
import { drawStoreOptions } from './store-steps.ts';

const ROUNDS = 100;
const ROUNDS_A_DIRECTORY = 12;
const LIFE_MS_MAX = 2500;
const MEMORY_BYTES = 128 << 20;
const FAILURES_MAX = 5;

/** Runs a process to its death. @returns the lines that it got out */
function live(program: string, life: StoreLife, afterMs: number): Promise<string[]> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [program, JSON.stringify(life)], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: {},
    });
    let text = '';
    let complaint = '';
    let timer: NodeJS.Timeout | undefined;
    child.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      timer ??= setTimeout(() => child.kill('SIGKILL'), afterMs);
    });
    child.stderr.on('data', (chunk: Buffer) => {
      complaint += chunk.toString();
    });
    child.on('error', reject);
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      if (signal !== 'SIGKILL')
        reject(new Error(`the process ended by itself (${signal ?? code}): ${complaint.slice(0, 4000)}`));
      // The last one may have been cut off.
      else resolve(text.split('\n').slice(0, -1));
    });
  });
}

/** Has the model know what a process has said. @returns how many writes were acknowledged */
function retell(model: StoreModel, lines: readonly string[], seed: number): number {
  const known = new Map<number, readonly Piece[]>();
  let acknowledged = 0;
  for (const line of lines) {
    if (line === READY_LINE) continue;
    const [kind, number, ms, ...size] = line.split(' ') as [string, string, string, ...string[]];
    const id = Number(number);
    if (kind === 'a') {
      model.acknowledge(known.get(id) ?? [], 'written');
      acknowledged++;
      continue;
    }
    model.nextId = Math.max(model.nextId, id);
    const piece = { ...model.piece(), id };
    if (kind === 'w') {
      const write = treeWrite(piece, seed, Number(ms), size.join(' ') as Size);
      model.writes.push(write);
      known.set(id, [write]);
    } else if (kind === 'k') {
      const writes = kvWrites(piece, seed, Number(ms));
      for (const write of writes) model.addKv(write);
      known.set(id, writes);
    } else {
      const write = eventWrite(piece, seed);
      model.events.push(write);
      known.set(id, [write]);
    }
  }
  return acknowledged;
}

class StoreKill {
  readonly result: CampaignResult = { passed: 0, failures: [], summary: '' };
  readonly #run: CampaignRun;
  readonly #random: Random;
  readonly #runtime: Runtime;
  readonly #program: string;
  readonly #root: string;
  #acknowledged = 0;
  #model = new StoreModel();
  #directories = 0;
  #roundsHere = ROUNDS_A_DIRECTORY;

  constructor(run: CampaignRun, runtime: Runtime, program: string, root: string) {
    this.#run = run;
    this.#random = createRandom(run.seed);
    this.#runtime = runtime;
    this.#program = program;
    this.#root = root;
  }

  async run(): Promise<void> {
    const { untilMs, onProgress } = this.#run;
    const total = untilMs === undefined ? ROUNDS : undefined;
    for (let round = 1; untilMs === undefined ? round <= ROUNDS : performance.now() < untilMs; round++) {
      await this.#round(round);
      const { passed, failures } = this.result;
      this.result.summary = `${this.#acknowledged} writes acknowledged`;
      onProgress({ done: passed, total, failed: failures.length, note: this.result.summary });
      if (failures.length >= FAILURES_MAX) return;
    }
  }

  async #round(round: number): Promise<void> {
    if (this.#roundsHere++ >= ROUNDS_A_DIRECTORY) {
      this.#roundsHere = 1;
      this.#directories++;
      this.#model = new StoreModel();
    }
    const random = this.#random;
    const dies = random.chance(0.5);
    const life: StoreLife = {
      directory: join(this.#root, String(this.#directories)),
      seed: this.#run.seed,
      firstId: this.#model.nextId,
      clients: random.int(1, 5),
      writes: random.int(50, 1500),
      options: drawStoreOptions(random),
      fatalCall: dies ? 50 + Math.floor(2 ** (random.next() * 12)) : undefined,
      fatalShare: random.chance(0.5) ? random.next() : 0,
    };
    const afterMs = dies ? LIFE_MS_MAX : random.int(0, 1500);
    try {
      this.#acknowledged += retell(this.#model, await live(this.#program, life, afterMs), life.seed);
      await this.#look(life);
      this.result.passed++;
    } catch (error) {
      const plan = JSON.stringify({ afterMs, life });
      this.result.failures.push(`seed ${this.#run.seed}, round ${round}: ${reasonOf(error)}\n${plan}`);
      // What failed is left as it is, for whoever looks into it.
      this.#roundsHere = ROUNDS_A_DIRECTORY;
    }
  }

  async #look({ directory, options }: StoreLife): Promise<void> {
    const model = this.#model;
    const open = await openStores({ runtime: this.#runtime }, nodeVfs, options, directory);
    try {
      const found = await readStores({ clock: systemClock }, open, model);
      model.check(found, { tick: model.tick, level: 'written', isPrefix: true });
      await verifyStores(open);
      model.settle(found);
    } finally {
      await open.database.close();
    }
  }
}

/** Kills processes that write to trees and stores. */
export const treeKill: Campaign = {
  name: 'tree-kill',
  async run(run) {
    const root = mkdtempSync(join(tmpdir(), 'varve-tree-kill-'));
    const program = compileProgram('test/long/store-kill-program.ts', ['src/pool/worker.ts']);
    const runtime = createRuntime({ memoryBytes: MEMORY_BYTES, threads: 1 });
    const campaign = new StoreKill(run, runtime, program.path, root);
    try {
      await campaign.run();
    } finally {
      await runtime.close();
      program.dispose();
    }
    if (campaign.result.failures.length === 0) rmSync(root, { recursive: true });
    return campaign.result;
  },
};
