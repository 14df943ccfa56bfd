/**
 * `varve/protobuf`: log entries as Protobuf, as docs/log_entry.proto says. The descriptors are built when this is
 * loaded, so that no generated code is needed; `@bufbuild/protobuf` is a peer that only who loads this needs.
 *
 * @module
 */

import {
  create,
  createFileRegistry,
  type DescMessage,
  fromBinary,
  type Message,
  toBinary,
} from '@bufbuild/protobuf';
import {
  FieldDescriptorProto_Label,
  FieldDescriptorProto_Type,
  type FileDescriptorProto,
  FileDescriptorProtoSchema,
} from '@bufbuild/protobuf/wkt';
import { EventEntry } from '../events/entry.ts';
import type { EventInput } from '../events/input.ts';
import { checkEntry, checkLevel, checkText, checkTime, metadataText } from '../events/input.ts';
import { TIME_NS_END, toBigInt } from '../events/time.ts';
import { LEVEL_NAMES } from '../levels.ts';

const PACKAGE = 'varve';
const MESSAGE = 'LogEntry';
const FILE = 'log_entry.proto';

/** What the message has, as the library sees it. */
interface LogEntryMessage extends Message {
  timestampNs: bigint;
  level: number;
  message: string;
  component?: string | undefined;
  version?: string | undefined;
  metadataJson?: string | undefined;
}

const { FIXED64, ENUM, STRING } = FieldDescriptorProto_Type;

/** Names of fields, by their number; those with a question mark are optional. */
const FIELDS: readonly (readonly [name: string, type: FieldDescriptorProto_Type])[] = [
  ['timestamp_ns', FIXED64],
  ['level', ENUM],
  ['message', STRING],
  ['component?', STRING],
  ['version?', STRING],
  ['metadata_json?', STRING],
];

/** The file as a descriptor: what a compiler would make of docs/log_entry.proto. */
function describeFile(): FileDescriptorProto {
  const optional = FIELDS.filter(([name]) => name.endsWith('?'));
  return create(FileDescriptorProtoSchema, {
    name: FILE,
    package: PACKAGE,
    syntax: 'proto3',
    enumType: [{ name: 'Level', value: LEVEL_NAMES.map((name, number) => ({ name, number })) }],
    messageType: [
      {
        name: MESSAGE,
        oneofDecl: optional.map(([name]) => ({ name: `_${name.slice(0, -1)}` })),
        field: FIELDS.map(([name, type], i) => ({
          name: name.replace('?', ''),
          number: i + 1,
          type,
          label: FieldDescriptorProto_Label.OPTIONAL,
          ...(type === ENUM && { typeName: `.${PACKAGE}.Level` }),
          ...(name.endsWith('?') && {
            proto3Optional: true,
            oneofIndex: optional.findIndex(([other]) => other === name),
          }),
        })),
      },
    ],
  });
}

function schemaOf(): DescMessage {
  const schema = createFileRegistry(describeFile(), () => undefined).getMessage(`${PACKAGE}.${MESSAGE}`);
  if (schema === undefined) throw new Error('the descriptor of a log entry names no message');
  return schema;
}

/** The message as `@bufbuild/protobuf` knows it, for registries and reflection. */
export const logEntrySchema: DescMessage = schemaOf();

/**
 * Encodes an entry that was read, or one that could be written.
 *
 * @param nowMs the time of an entry that has none, in milliseconds since the epoch
 * @throws TypeError, RangeError naming what is wrong: also where an entry has no time, and none is given
 */
export function encodeLogEntry(entry: EventInput | EventEntry, nowMs?: number): Uint8Array {
  const input: EventInput = entry instanceof EventEntry ? entry.toJSON() : entry;
  checkEntry(input);
  if (input.timestamp === undefined && nowMs === undefined)
    throw new TypeError('the entry has no timestamp: say which time it gets');
  const time = { ms: 0, nanoseconds: 0 };
  checkTime(input, nowMs ?? 0, time);
  const { component, version, metadata } = input;
  const fields = {
    timestampNs: toBigInt(time.ms, time.nanoseconds),
    level: checkLevel(input.level),
    message: checkText('message', input.message),
    ...(component !== undefined && { component: checkText('component', component) }),
    ...(version !== undefined && { version: checkText('version', version) }),
    ...(metadata !== undefined && { metadataJson: metadataText(metadata) }),
  };
  return toBinary(logEntrySchema, create(logEntrySchema, fields));
}

/**
 * Decodes an entry, which can be written to a store as it is.
 *
 * @throws TypeError, RangeError where the bytes are no log entry
 */
export function decodeLogEntry(bytes: Uint8Array): EventInput & { timestamp: bigint } {
  let read: LogEntryMessage;
  try {
    read = fromBinary(logEntrySchema, bytes) as LogEntryMessage;
  } catch (cause) {
    throw new TypeError('the bytes are no log entry', { cause });
  }
  const { timestampNs, level, message, component, version, metadataJson } = read;
  const name = LEVEL_NAMES[level];
  if (timestampNs >= TIME_NS_END)
    throw new RangeError(
      `the time of the entry must be before ${TIME_NS_END} nanoseconds, not ${timestampNs}`,
    );
  if (name === undefined) throw new RangeError(`the level of the entry must be from 0 to 7, not ${level}`);
  return {
    timestamp: timestampNs,
    level: name,
    message,
    ...(component !== undefined && { component }),
    ...(version !== undefined && { version }),
    ...(metadataJson !== undefined && { metadata: parseMetadata(metadataJson) }),
  };
}

function parseMetadata(text: string): Record<string, unknown> {
  let metadata: unknown;
  try {
    metadata = JSON.parse(text);
  } catch (cause) {
    throw new TypeError('the metadata of the entry is no JSON', { cause });
  }
  metadataText(metadata);
  return metadata as Record<string, unknown>;
}
