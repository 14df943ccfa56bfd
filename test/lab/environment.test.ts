import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { describeEnvironment, type Environment, warningsOf } from '../../src/lab/environment.ts';
import { mountOf } from '../../src/lab/proc.ts';

const MOUNTINFO = `22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw,discard
23 22 0:21 / /proc rw,nosuid - proc proc rw
40 22 0:35 / /mnt/my\\040disk rw,noatime - xfs /dev/mapper/my\\134disk rw,nobarrier
41 22 0:36 / /tmp rw shared:9 - tmpfs tmpfs rw,size=1g
42 41 0:37 / /tmp rw - overlay overlay rw,lowerdir=/a
`;

test('a path belongs to the longest mount point above it', () => {
  expect(mountOf(MOUNTINFO, '/srv/x')).toMatchObject({ type: 'ext4', device: '254:0', source: '/dev/vda' });
  expect(mountOf(MOUNTINFO, '/mnt/my disk/a')).toMatchObject({
    type: 'xfs',
    mountPoint: '/mnt/my disk',
    source: '/dev/mapper/my\\disk',
    options: 'rw,noatime,rw,nobarrier',
  });
  expect(mountOf(MOUNTINFO, '/mnt/my diskette')?.type).toBe('ext4');
  expect(mountOf(MOUNTINFO, '/')?.type).toBe('ext4');
});

test('of two mounts in one place the later one counts', () => {
  expect(mountOf(MOUNTINFO, '/tmp/a')?.type).toBe('overlay');
});

test('nothing is made of what is no mount', () => {
  expect(mountOf('', '/')).toBeUndefined();
  expect(mountOf('gibberish\n - \n', '/')).toBeUndefined();
});

const CALM: Environment = {
  node: 'v20',
  v8: '11',
  platform: 'linux',
  arch: 'x64',
  kernel: 'Linux 6',
  cpu: 'a cpu',
  cores: 4,
  memoryBytes: 1,
  fileSystem: 'ext4',
  mountOptions: 'rw',
  device: '/dev/sda',
  diskCache: 'write back',
  loadAverage: [0.1, 0, 0],
};

test('a file system that cannot promise anything is warned of', () => {
  expect(warningsOf(CALM)).toEqual([]);
  for (const fileSystem of ['tmpfs', 'overlay', 'nfs4', '9p', 'fuse.sshfs']) {
    expect(warningsOf({ ...CALM, fileSystem }).join()).toContain(fileSystem);
  }
  expect(warningsOf({ ...CALM, mountOptions: 'rw,nobarrier' }).join()).toContain('nobarrier');
  expect(warningsOf({ ...CALM, loadAverage: [3.5, 0, 0] }).join()).toContain('busy');
});

test('this machine can be described', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'varve-environment-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const environment = await describeEnvironment(directory);
  expect(environment.node).toBe(process.version);
  expect(environment.cores).toBeGreaterThan(0);
  if (process.platform === 'linux') expect(environment.fileSystem).not.toBe('unknown');
});
