/**
 * Errors on their way from a worker thread. Cloning an error loses its class and its fields, and fails
 * where a field cannot be cloned; so what matters is taken out and put together again.
 *
 * @module
 */

import { AssertionError } from 'node:assert';
import { type ErrorCode, type ErrorDetails, VarveError } from '../errors.ts';

export interface PackedError {
  kind: 'varve' | 'assertion' | 'type' | 'range' | 'other';
  name: string;
  message: string;
  stack: string | undefined;
  code: string | undefined;
  details: Omit<ErrorDetails, 'cause'>;
  cause: PackedError | undefined;
}

/** How long a chain of causes may be; one can be a circle. */
const CAUSES_MAX = 8;

/** Takes out of anything that was thrown what can be posted. */
export function packError(error: unknown, causesLeft: number = CAUSES_MAX): PackedError {
  const thrown = error instanceof Error ? error : new Error(String(error));
  const isVarve = thrown instanceof VarveError;
  const { cause } = thrown;
  return {
    kind: kindOf(thrown),
    name: thrown.name,
    message: thrown.message,
    stack: thrown.stack,
    code: 'code' in thrown && typeof thrown.code === 'string' ? thrown.code : undefined,
    details: isVarve
      ? { file: thrown.file, position: thrown.position, offsets: thrown.offsets, pid: thrown.pid }
      : {},
    cause: cause === undefined || causesLeft === 0 ? undefined : packError(cause, causesLeft - 1),
  };
}

function kindOf(error: Error): PackedError['kind'] {
  if (error instanceof VarveError) return 'varve';
  if (error instanceof AssertionError) return 'assertion';
  if (error instanceof TypeError) return 'type';
  return error instanceof RangeError ? 'range' : 'other';
}

/** Puts an error together again: of the same class, with the message and the stack of the first. */
export function unpackError(packed: PackedError): Error {
  const error = create(packed);
  if (packed.stack !== undefined) error.stack = packed.stack;
  return error;
}

function create(packed: PackedError): Error {
  const { message, code } = packed;
  const cause = packed.cause === undefined ? undefined : unpackError(packed.cause);
  const options = cause === undefined ? undefined : { cause };
  switch (packed.kind) {
    case 'varve':
      return new VarveError(code as ErrorCode, message, { ...packed.details, cause });
    case 'assertion':
      return new AssertionError({ message });
    case 'type':
      return new TypeError(message, options);
    case 'range':
      return new RangeError(message, options);
    case 'other': {
      const error = new Error(message, options);
      if (packed.name !== 'Error') error.name = packed.name;
      return code === undefined ? error : Object.assign(error, { code });
    }
  }
}
