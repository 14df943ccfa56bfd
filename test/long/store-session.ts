/**
 * A life of a database of trees and stores: takes the steps of a workload, and keeps the model up to date with what
 * callers were told.
 *
 * @module
 */

import { isVarveError, type VarveError } from '../../src/errors.ts';
import type { Handover } from '../../src/events/handover.ts';
import type { Durability } from '../../src/log/sync-policy.ts';
import { ownLevel, resolveSyncPolicy } from '../../src/log/sync-policy.ts';
import type { TreeSnapshot } from '../../src/lsm/snapshot.ts';
import type { Tree } from '../../src/lsm/tree.ts';
import type { Vfs } from '../../src/vfs/vfs.ts';
import { WallClock } from '../kit/clock.ts';
import { type Stage, until } from './laboratory.ts';
import { aheadMs, COPY_DIRECTORY, type OpenStores, openStores } from './open-stores.ts';
import type { EventWrite, KvWrite, Piece, StoreModel, TreeWrite } from './store-model.ts';
import { eventWrite, kvWrites, type Size, treeWrite } from './store-operations.ts';
import { readStores, verifyStores } from './store-reading.ts';
import { describeStoreStep, type StoreOptions, type StoreStep, type TreeName } from './store-steps.ts';

export interface StoreSessionParts {
  stage: Stage;
  vfs: Vfs;
  model: StoreModel;
  options: StoreOptions;
  seed: number;
  /** Called after each promise. */
  onPromise?: () => void;
  /** Looks at what was copied. */
  onCheckpoint?: (from: number) => void;
}

export interface StoreFailure {
  step: string;
  error: VarveError;
}

export class StoreSession {
  readonly failures: StoreFailure[] = [];
  readonly #parts: StoreSessionParts;
  #open: OpenStores | undefined;
  #handover: Handover | undefined;
  #pending: Promise<void>[] = [];
  #snapshots: { snapshot: TreeSnapshot; contents: string }[] = [];
  #step = 'open';
  #copies = 0;

  constructor(parts: StoreSessionParts) {
    this.#parts = parts;
  }

  get stores(): OpenStores | undefined {
    return this.#open;
  }

  /** @throws VarveError where it does not open */
  async open(): Promise<OpenStores> {
    const { stage, vfs, options } = this.#parts;
    this.#open = await until(stage, 'opening', openStores(stage, vfs, options));
    return this.#open;
  }

  async take(steps: readonly StoreStep[]): Promise<void> {
    for (const step of steps) {
      if (this.#open === undefined) return;
      this.#step = describeStoreStep(step);
      try {
        await this.#take(step);
      } catch (error) {
        this.#fail(error);
      }
    }
  }

  async close(): Promise<void> {
    this.#step = 'close';
    const { stage } = this.#parts;
    const database = this.#open?.database;
    for (const { snapshot } of this.#snapshots.splice(0)) snapshot.close();
    this.#open = undefined;
    this.#handover = undefined;
    if (database !== undefined)
      await until(stage, 'closing', database.close()).catch((error: unknown) => this.#fail(error));
    await until(stage, 'settling', Promise.allSettled(this.#pending.splice(0)));
  }

  #fail(error: unknown): void {
    if (!isVarveError(error)) throw new Error(`${this.#step}: ${String(error)}`, { cause: error });
    this.failures.push({ step: this.#step, error });
  }

  async #take(step: StoreStep): Promise<void> {
    const open = this.#open as OpenStores;
    const { stage, model } = this.#parts;
    const { database, kv, events, trees } = open;
    const wait = <T>(promise: Promise<T>): Promise<T> => until(stage, this.#step, promise);
    const clock = stage.clock;
    switch (step.do) {
      case 'write':
        return await this.#many(step, () => this.#write(open, step.size, step.level));
      case 'kv':
        return await this.#many(step, () => this.#kv(open, step.level));
      case 'touch':
        return await this.#many({ ...step, wait: true }, () => this.#touch(open));
      case 'events':
        return await this.#many(step, () => this.#events(open, step.level));
      case 'take':
        return await wait(this.#hand(open, step.count));
      case 'handed':
        return await wait(this.#handed(open));
      case 'settle':
        return void (await wait(Promise.all(this.#pending.splice(0))));
      case 'sync':
        return await wait(this.#sync(open));
      case 'flush':
        return await wait(this.#flush(open, step.store));
      case 'compact':
        return await wait((trees.get(step.store) as Tree).compact(rangeOf(step.range)));
      case 'compact events':
        return await wait(events.compact());
      case 'pause':
        return await wait(database.pauseCompaction());
      case 'resume':
        return await wait(database.resumeCompaction());
      case 'limit':
        return await wait(database.limitCompaction(step.bytesPerSecond));
      case 'pass':
        await clock.advance(step.ms);
        return;
      case 'shift':
        model.see(clock);
        if (clock instanceof WallClock) {
          clock.shift(step.ms);
          model.shifted(step.ms);
        }
        return;
      case 'sweep':
        return await wait(kv.sweep());
      case 'ask':
        return await wait(this.#ask(open));
      case 'snapshot':
        return this.#snapshot(open);
      case 'checkpoint':
        return await this.#checkpoint(open);
      case 'look':
        return await this.#look(open);
      case 'verify':
        return await this.#verify(open);
      case 'reopen':
        await this.close();
        await this.open();
    }
  }

  // --- writing --------------------------------------------------------------------------------------

  /** Does something so many times at once; waits for all, or leaves that to a later step. */
  async #many(step: { count: number; wait?: boolean }, act: () => Promise<void>): Promise<void> {
    const promises = Array.from({ length: step.count }, () => act());
    if (step.wait === false) this.#pending.push(...promises);
    else await until(this.#parts.stage, this.#step, Promise.all(promises));
  }

  /** Waits for what was promised of some writes, and notes what was told. Failures do not stop the others. */
  async #told(
    pieces: readonly Piece[],
    level: Durability | undefined,
    promise: Promise<unknown>,
  ): Promise<void> {
    const { model, options, onPromise } = this.#parts;
    const step = this.#step;
    try {
      await promise;
    } catch (error) {
      if (!isVarveError(error)) throw new Error(`${step}: ${String(error)}`, { cause: error });
      for (const piece of pieces) piece.hasFailed = true;
      this.failures.push({ step, error });
      return;
    }
    const reached = level ?? ownLevel(resolveSyncPolicy(options.sync));
    if (reached !== 'accepted') model.acknowledge(pieces, reached);
    onPromise?.();
  }

  #write({ database, trees }: OpenStores, size: Size, level: Durability | undefined): Promise<void> {
    const { model, seed, stage } = this.#parts;
    const write: TreeWrite = treeWrite(model.piece(), seed, stage.clock.now(), size);
    model.writes.push(write);
    const batch = database.batch();
    for (const { tree: name, kind, key, value } of write.operations) {
      const tree = trees.get(name as TreeName) as Tree;
      if (kind === 'put') batch.put(tree, key, value);
      else if (kind === 'delete') batch.delete(tree, key);
      else batch.deleteRange(tree, key, value);
    }
    return this.#told([write], level, batch.write(level === undefined ? {} : { durability: level }));
  }

  #kv({ kv }: OpenStores, asked: Durability | undefined): Promise<void> {
    const { model, seed, stage } = this.#parts;
    const durability = asked === 'accepted' ? undefined : asked;
    const level = durability === undefined ? {} : { durability };
    if (model.nextId % 7 === 0) {
      const piece = model.piece();
      model.increments.push(piece);
      return this.#told([piece], durability, kv.increment('n', 1, level));
    }
    const writes = kvWrites(model.piece(), seed, stage.clock.now());
    const [{ value, key, expiryMs: expiresAt }] = writes as [KvWrite];
    const expiry = expiresAt === 0 ? {} : { expiresAt };
    for (const write of writes) {
      if (write.expiryMs !== 0) write.expiryMs += aheadMs(kv);
      model.addKv(write);
    }
    if (value === undefined) return this.#told(writes, durability, kv.delete(key, level));
    const pairs = writes.map((write) => [write.key, write.value as string] as const);
    return this.#told(writes, durability, kv.setMany(pairs, { ...expiry, ...level }));
  }

  #touch({ kv }: OpenStores): Promise<void> {
    const { model, stage } = this.#parts;
    const keys = [...model.kv.keys()];
    const key = keys[model.nextId % keys.length];
    const last = key === undefined ? undefined : model.latest(key);
    const isSure = last !== undefined && !last.hasFailed && last.value !== undefined;
    if (key === undefined || !isSure) return Promise.resolve();
    const piece = model.piece();
    const expiresAt = piece.id % 3 === 0 ? 0 : stage.clock.now() + (piece.id % 90) + 5;
    const expiryMs = expiresAt === 0 ? 0 : expiresAt + aheadMs(kv);
    const write: KvWrite = { ...piece, key, value: last.value, expiryMs };
    model.addKv(write);
    const touched = expiresAt === 0 ? kv.persist(key) : kv.touch(key, { expiresAt });
    const told = touched.then((wasThere) => {
      if (!wasThere) write.state = 'lost';
    });
    return this.#told([write], undefined, told);
  }

  #events({ events }: OpenStores, level: Durability | undefined): Promise<void> {
    const { model, seed } = this.#parts;
    const write = eventWrite(model.piece(), seed);
    model.events.push(write);
    return this.#told(
      [write],
      level,
      events.writeMany(write.entries, level === undefined ? {} : { durability: level }),
    );
  }

  // --- the journal ----------------------------------------------------------------------------------

  async #hand({ events }: OpenStores, count: number): Promise<void> {
    const { model, seed, onPromise } = this.#parts;
    this.#handover ??= await events.handover();
    for (let i = 0; i < count; i++) {
      const write: EventWrite = { ...eventWrite(model.piece(), seed), isHanded: true };
      model.events.push(write);
      try {
        this.#handover.take(write.entries);
      } catch (error) {
        write.hasFailed = true;
        throw error;
      }
      // It is in the page cache, and outlives the process.
      model.acknowledge([write], 'written');
    }
    onPromise?.();
  }

  async #handed(open: OpenStores): Promise<void> {
    await this.#handover?.flush();
    await this.#sync(open);
  }

  async #sync({ events }: OpenStores): Promise<void> {
    const { model, onPromise } = this.#parts;
    // What was only handed over may still be on its way.
    await this.#handover?.flush();
    const begun = ++model.tick;
    await events.sync();
    model.synced(begun);
    onPromise?.();
  }

  // --- the rest -------------------------------------------------------------------------------------

  async #flush({ trees, database, events }: OpenStores, store: TreeName | 'kv' | 'events'): Promise<void> {
    if (store === 'events') await events.flush();
    else if (store === 'kv') await (await database.tree('kv.s')).flush();
    else await (trees.get(store) as Tree).flush();
    this.#parts.onPromise?.();
  }

  async #ask({ kv }: OpenStores): Promise<void> {
    const { model, stage, onPromise } = this.#parts;
    for (const key of model.kv.keys()) {
      const entry = await kv.getEntry(key);
      model.see(stage.clock);
      if (entry === undefined) model.tell(key);
    }
    onPromise?.();
  }

  #snapshot({ trees }: OpenStores): void {
    const snapshot = (trees.get('lev') as Tree).snapshot();
    try {
      this.#snapshots.push({ snapshot, contents: contentsIn(trees, snapshot) });
    } catch (error) {
      snapshot.close();
      throw error;
    }
  }

  async #checkpoint({ database }: OpenStores): Promise<void> {
    const from = ++this.#parts.model.tick;
    this.#parts.onCheckpoint?.(from);
    await until(this.#parts.stage, 'checkpoint', database.checkpoint(`${COPY_DIRECTORY}${this.#copies++}`));
    this.#parts.onPromise?.();
  }

  /** What the disk fails to read while all is verified is reported as damage would be. */
  async #verify(open: OpenStores): Promise<void> {
    const { stage, vfs } = this.#parts;
    const faults = (): unknown => ('injected' in vfs ? vfs.injected : 0);
    const before = faults();
    try {
      await until(stage, this.#step, verifyStores(open));
    } catch (error) {
      if (faults() === before) throw error;
    }
  }

  async #look(open: OpenStores): Promise<void> {
    const { stage, model } = this.#parts;
    await until(stage, 'settling', Promise.all(this.#pending.splice(0)));
    // What was accepted and is not awaited by anybody is still on its way.
    if (this.failures.length === 0) await until(stage, 'sync', open.events.sync());
    const found = await until(stage, 'reading', readStores(stage, open, model));
    model.check(found, { tick: model.tick, level: 'written', isPrefix: false, isAlive: true });
    for (const { snapshot, contents } of this.#snapshots)
      compareSnapshots(contentsIn(open.trees, snapshot), contents);
  }
}

/** @throws Error that says where they differ */
function compareSnapshots(now: string, before: string): void {
  if (now === before) return;
  const [a, b] = [now, before].map((text) => text.split('|'));
  const at = a?.findIndex((entry, i) => entry !== b?.[i]) ?? 0;
  const shown = [a, b].map((entries) => entries?.[at]?.slice(0, 40));
  throw new Error(
    `a snapshot has changed: entry ${at} of ${a?.length} is ${shown[0]}, and was ${shown[1]} of ${b?.length}`,
  );
}

function contentsIn(trees: ReadonlyMap<TreeName, Tree>, snapshot: TreeSnapshot): string {
  return (['lev', 'tier'] as const)
    .map((name) => [...(trees.get(name) as Tree).entries({ snapshot })].map(String).join('|'))
    .join('#');
}

function rangeOf(range: readonly [number, number] | undefined): { gte?: string; lt?: string } {
  if (range === undefined) return {};
  const [gte, lt] = range.map((number) => `k${String(number).padStart(2, '0')}`) as [string, string];
  return { gte, lt };
}
