/** Checks of what a caller passes in: a mistake is told before anything happens. */

function describe(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'object' && value !== null)
    return `an object (${value.constructor?.name ?? 'no class'})`;
  return String(value);
}

/**
 * Checks that `value` is a whole number in a range.
 *
 * @returns the number
 * @throws TypeError where it is no number
 * @throws RangeError where it is not whole or out of range
 */
export function checkInteger(name: string, value: unknown, min: number, max: number): number {
  if (typeof value !== 'number') throw new TypeError(`${name} must be a number, not ${describe(value)}`);
  if (!Number.isSafeInteger(value) || value < min || value > max) {
    throw new RangeError(`${name} must be a whole number from ${min} to ${max}, not ${value}`);
  }
  return value;
}

/** Like `checkInteger`, with a default for undefined. */
export function integerOption(
  name: string,
  value: unknown,
  fallback: number,
  min: number,
  max: number = Number.MAX_SAFE_INTEGER,
): number {
  return value === undefined ? fallback : checkInteger(name, value, min, max);
}

/**
 * Checks that `value` is one of some strings.
 *
 * @throws TypeError where it is not
 */
export function checkOneOf<T extends string>(name: string, value: unknown, allowed: readonly T[]): T {
  const found = allowed.find((candidate) => candidate === value);
  if (found === undefined)
    throw new TypeError(`${name} must be one of ${allowed.join(', ')}, not ${describe(value)}`);
  return found;
}

/** Checks that `value` is a boolean; undefined gives the default. */
export function booleanOption(name: string, value: unknown, fallback: boolean): boolean {
  if (value === undefined) return fallback;
  if (typeof value !== 'boolean')
    throw new TypeError(`${name} must be true or false, not ${describe(value)}`);
  return value;
}

/**
 * Checks that `value` is a plain set of options and has no names but the known ones, so that a
 * misspelt option is not silently ignored.
 *
 * @throws TypeError where it is not
 */
export function checkOptions(name: string, value: unknown, known: readonly string[]): void {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new TypeError(`${name} must be an object, not ${describe(value)}`);
  }
  for (const key of Object.keys(value)) {
    if (!known.includes(key)) throw new TypeError(`${name} has no option ${key}; it has ${known.join(', ')}`);
  }
}
