import { beforeEach, describe, expect, test } from 'vitest';
import { CrashVfs } from '../../src/testing/crash.ts';
import { joinPath } from '../../src/vfs/vfs.ts';
import { dump, filled, readAll, states } from '../kit/disk-states.ts';
import { createRandom } from '../kit/random.ts';

let vfs: CrashVfs;

beforeEach(() => {
  vfs = new CrashVfs();
});

/** Makes a file whose bytes are synced, and (unless told otherwise) not its name. */
async function put(path: string, value: number, { synced = true } = {}): Promise<void> {
  const file = await vfs.open(path, 'create');
  await file.write(filled(10, value), 0);
  if (synced) await file.datasync();
  await file.close();
}

/** The states of the names that matter, as `name=value` lists. */
async function namesIn(): Promise<string[]> {
  const all = (await states(vfs)).map((state) =>
    Object.entries(state)
      .map(([path, content]) => `${path.slice(1)}=${content === '/' ? 'dir' : content.replace(/x.*/, '')}`)
      .join(' '),
  );
  return all.sort();
}

describe('a new name', () => {
  test('is lost or kept while its directory was not synced, whatever was done for its bytes', async () => {
    await put('/a', 1);
    expect(await namesIn()).toEqual(['', 'a=1']);
    await vfs.syncDir('/');
    expect(await namesIn()).toEqual(['a=1']);
  });

  test('may lead to an empty file where only the name was synced', async () => {
    await put('/a', 1, { synced: false });
    await vfs.syncDir('/');
    const contents = (await states(vfs)).map((state) => state['/a']);
    expect(new Set(contents)).toEqual(new Set(['', '0x10', '1x10']));
  });

  test('is not covered by a sync that began before it was made', async () => {
    const made = put('/a', 1);
    const sync = vfs.syncDir('/');
    await Promise.all([made, sync]);
    expect(await namesIn()).toEqual(['', 'a=1']);
  });

  test('is lost with its directory, where that was not synced into its own', async () => {
    await vfs.mkdir('/d/e');
    await put('/d/e/a', 1);
    await vfs.syncDir('/d/e');
    expect(await namesIn()).toEqual(['', 'd=dir', 'd=dir d/e=dir d/e/a=1']);
    await vfs.syncDir('/');
    await vfs.syncDir('/d');
    expect(await namesIn()).toEqual(['d=dir d/e=dir d/e/a=1']);
  });

  test('is independent of others', async () => {
    await put('/a', 1);
    await put('/b', 2);
    expect(await namesIn()).toEqual(['', 'a=1', 'a=1 b=2', 'b=2']);
  });
});

describe('a removed name', () => {
  test('comes back, with the bytes of its last sync, until the directory was synced', async () => {
    await put('/a', 1);
    await vfs.syncDir('/');
    await vfs.remove('/a');
    expect(await namesIn()).toEqual(['', 'a=1']);
    await vfs.syncDir('/');
    expect(await namesIn()).toEqual(['']);
  });

  test('of a directory comes back with it', async () => {
    await vfs.mkdir('/d');
    await vfs.syncDir('/');
    await vfs.removeDir('/d');
    expect(await namesIn()).toEqual(['', 'd=dir']);
  });

  test('that is made again is one or the other, or free', async () => {
    await put('/a', 1);
    await vfs.syncDir('/');
    await vfs.remove('/a');
    await put('/a', 2);
    expect(await namesIn()).toEqual(['', 'a=1', 'a=2']);
  });
});

describe('a rename', () => {
  beforeEach(async () => {
    await put('/a', 1);
    await put('/b', 2);
    await vfs.syncDir('/');
  });

  test('is lost, done, or half there with both names; never is neither there', async () => {
    await vfs.rename('/a', '/c');
    expect(await namesIn()).toEqual(['a=1 b=2', 'a=1 b=2 c=1', 'b=2 c=1']);
    await vfs.syncDir('/');
    expect(await namesIn()).toEqual(['b=2 c=1']);
  });

  test('over another file leaves the old or the new one under that name', async () => {
    await vfs.rename('/a', '/b');
    expect(await namesIn()).toEqual(['a=1 b=1', 'a=1 b=2', 'b=1']);
  });

  test('that is half there has made two names of one file, which a second rename leaves alone', async () => {
    await vfs.rename('/a', '/c');
    const choices = vfs.crashChoices().map(({ path, options }) => (path === '/c' ? options - 1 : 0));
    vfs = vfs.crash({ choices });
    const file = await vfs.open('/a', 'write');
    await file.write(filled(10, 9), 0);
    expect(await readAll(vfs, '/c')).toEqual(filled(10, 9));
    await vfs.rename('/a', '/c');
    expect(await vfs.readdir('/')).toEqual(['a', 'b', 'c']);
  });

  test('between directories is safe when either was synced', async () => {
    await vfs.mkdir('/d');
    await vfs.syncDir('/');
    await vfs.rename('/a', '/d/a');
    expect(await namesIn()).toEqual(['a=1 b=2 d=dir', 'a=1 b=2 d=dir d/a=1', 'b=2 d=dir d/a=1']);
    await vfs.syncDir('/');
    expect(await namesIn()).toEqual(['b=2 d=dir d/a=1']);
  });

  test('is half done for certain when only the new directory was synced', async () => {
    await vfs.mkdir('/d');
    await vfs.syncDir('/');
    await vfs.rename('/a', '/d/a');
    await vfs.syncDir('/d');
    expect(await namesIn()).toEqual(['a=1 b=2 d=dir d/a=1', 'b=2 d=dir d/a=1']);
  });

  test('of a directory never leaves two of it', async () => {
    await vfs.mkdir('/d');
    await put('/d/x', 3);
    await vfs.syncDir('/d');
    await vfs.syncDir('/');
    await vfs.mkdir('/e');
    await vfs.syncDir('/');
    await vfs.rename('/d', '/e/d');
    const done = 'a=1 b=2 e=dir e/d=dir e/d/x=3';
    expect(await namesIn()).toEqual(['a=1 b=2 d=dir d/x=3 e=dir', done]);
    await vfs.syncDir('/e');
    expect(await namesIn()).toEqual([done]);
  });

  test('of a file whose bytes were not synced may put an empty file in the place of a good one', async () => {
    await put('/new', 3, { synced: false });
    await vfs.rename('/new', '/a');
    await vfs.syncDir('/');
    const contents = (await states(vfs)).map((state) => state['/a']);
    expect(contents).toContain('');
    expect(contents).not.toContain('1x10');
  });
});

describe('a chain of renames', () => {
  test('never loses a file that was only renamed', async () => {
    const random = createRandom(7);
    for (let round = 0; round < 40; round++) {
      vfs = new CrashVfs();
      await vfs.mkdir('/d');
      const places = new Map<number, string>();
      for (const value of [1, 2, 3]) {
        await put(`/${value}`, value);
        places.set(value, `/${value}`);
      }
      await vfs.syncDir('/');
      for (let step = 0; step < 5; step++) {
        if (random.chance(0.15)) await vfs.syncDir(random.pick(['/', '/d']));
        const value = random.pick([...places.keys()]);
        const to = joinPath(random.pick(['', '/d']), random.pick(['p', 'q', '1', '2', '3']));
        for (const [other, place] of places) if (place === to && other !== value) places.delete(other);
        await vfs.rename(places.get(value) as string, to);
        places.set(value, to);
      }
      for (const plan of vfs.enumerateCrashes(400)) {
        const contents = Object.values(await dump(vfs.preview(plan)));
        for (const value of places.keys()) {
          expect(contents, `round ${round}, ${JSON.stringify(plan)}`).toContain(`${value}x10`);
        }
      }
      for (const path of ['/', '/d']) await vfs.syncDir(path);
      expect(vfs.crashChoices()).toEqual([]);
    }
  });
});
