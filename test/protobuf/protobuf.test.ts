/** Log entries as Protobuf: the bytes are those that the schema asks for. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { FieldDescriptorProto_Type } from '@bufbuild/protobuf/wkt';
import { expect, test } from 'vitest';
import { eventFromBytes } from '../../src/events/entry.ts';
import { decodeLogEntry, encodeLogEntry, logEntrySchema } from '../../src/protobuf/protobuf.ts';
import { openEvents } from '../kit/events.ts';
import { ROOT } from '../kit/sources.ts';
import { useTreeKit } from '../kit/tree-kit.ts';

const kit = useTreeKit();

const ENTRY = {
  timestamp: 1_700_000_000_000,
  nanoseconds: 5,
  level: 'WARN',
  message: 'größe',
  component: 'db',
  metadata: { n: 1 },
} as const;

test('the bytes are as the wire format says, field by field', () => {
  const time = Buffer.alloc(8);
  time.writeBigUInt64LE(1_700_000_000_000_000_005n);
  const text = (tag: number, value: string): Buffer =>
    Buffer.concat([Buffer.from([tag, Buffer.byteLength(value)]), Buffer.from(value)]);
  const expected = Buffer.concat([
    Buffer.from([0x09]),
    time,
    Buffer.from([0x10, 5]),
    text(0x1a, 'größe'),
    text(0x22, 'db'),
    text(0x32, '{"n":1}'),
  ]);
  expect(Buffer.from(encodeLogEntry(ENTRY))).toEqual(expected);
  const { nanoseconds: _, ...rest } = ENTRY;
  expect(decodeLogEntry(expected)).toEqual({ ...rest, timestamp: 1_700_000_000_000_000_005n });
});

test('the schema in the repository is the one that is used', () => {
  const text = readFileSync(join(ROOT, 'docs/log_entry.proto'), 'utf8');
  const declared = [...text.matchAll(/^ {2}(optional )?(\w+) (\w+) = (\d+);/gm)].map(
    ([, optional, type, name, number]) => [name, Number(number), type, optional !== undefined],
  );
  const used = logEntrySchema.fields.map((field) => [
    field.name,
    field.number,
    field.fieldKind === 'enum'
      ? field.enum.name
      : field.proto.type === FieldDescriptorProto_Type.FIXED64
        ? 'fixed64'
        : 'string',
    field.proto.proto3Optional,
  ]);
  expect(used).toEqual(declared);
  expect(text).toContain(`package ${logEntrySchema.file.proto.package};`);
});

test('what was read from a store goes through every encoding and back', async () => {
  const events = await openEvents(await kit.open(await kit.disk()));
  await events.writeMany([ENTRY, { timestamp: 1n, message: '', version: '' }]);
  const entries = [...events.readSync()];
  const copies = entries.flatMap((entry) => [
    decodeLogEntry(encodeLogEntry(entry)),
    eventFromBytes(entry.toBytes()).toJSON(),
    JSON.parse(JSON.stringify(entry)) as ReturnType<typeof entry.toJSON>,
  ]);
  await events.writeMany(copies);
  const read = [...events.readSync()].map((entry) => entry.toJSON());
  expect(read).toHaveLength(8);
  expect(new Set(read.map((entry) => JSON.stringify(entry))).size).toBe(2);
});

test('mistakes and broken bytes are told', () => {
  expect(() => encodeLogEntry({ message: 5, timestamp: 0 } as never)).toThrow(/message/);
  expect(() => decodeLogEntry(Buffer.from([0x1a, 200]))).toThrow(TypeError);
  expect(() => decodeLogEntry(Buffer.from([0x10, 9]))).toThrow(RangeError);
  expect(() => decodeLogEntry(Buffer.from([0x32, 1, 0x7b]))).toThrow(/JSON/);
  // What the store would refuse is not handed out.
  expect(() => encodeLogEntry({ message: 'x' })).toThrow(/timestamp/);
  expect(() => decodeLogEntry(Buffer.from('32025b5d', 'hex'))).toThrow(
    /metadata must be an object, not an array/,
  );
  expect(() => decodeLogEntry(Buffer.from(`09${'ff'.repeat(8)}`, 'hex'))).toThrow(RangeError);
  expect(() => eventFromBytes(Buffer.alloc(10))).toThrow(RangeError);
});
