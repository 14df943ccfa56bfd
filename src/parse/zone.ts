/**
 * The zone of times that do not say theirs: UTC, a fixed offset, or one of the IANA time zone database, as
 * the engine's own `Intl` knows it.
 *
 * A local time that a zone has twice, when its clocks are set back, is taken for the first of the two. One
 * that it does not have, when its clocks are set forward, is counted on from the last that it had, as clocks
 * do that nobody has set yet: 02:30 is 03:30 then.
 *
 * @module
 */

/** What takes local times to UTC. */
export interface Zone {
  /** Its name, as it was given. */
  readonly name: string;
  /** How far its clocks are ahead of UTC, where that never changes; else undefined. */
  readonly fixedMs: number | undefined;
  /** How far its clocks are ahead of UTC when they show `localMs`, counted as if they showed UTC. */
  offsetMs(localMs: number): number;
}

const MINUTE_MS = 60_000;
const HOUR_MS: number = 60 * MINUTE_MS;
/** Clocks are set at whole quarters of an hour. */
const STEP_MS: number = 15 * MINUTE_MS;
/** Some years of quarters; then the memory of a zone starts anew. */
const STEPS_MAX = 65_536;
/** No clock is further from UTC. */
const OFFSET_MAX_MS: number = 18 * HOUR_MS;
const DAY_MS: number = 24 * HOUR_MS;

const UTC = /^(?:utc|gmt|z)$/i;
const FIXED = /^([+-])(\d\d):?(\d\d)?$/;

const zones = new Map<string, Zone>();

/**
 * Finds a zone.
 *
 * @param name `utc`, an offset as `+02:00`, or a name as `Europe/Berlin`
 * @throws RangeError where there is none of that name
 */
export function findZone(name: string): Zone {
  let zone = zones.get(name);
  if (zone === undefined) {
    zone = createZone(name);
    zones.set(name, zone);
  }
  return zone;
}

function createZone(name: string): Zone {
  if (UTC.test(name)) return fixedZone(name, 0);
  const [, sign, hours, minutes] = FIXED.exec(name) ?? [];
  if (hours !== undefined) {
    const offsetMs = Number(hours) * HOUR_MS + Number(minutes ?? 0) * MINUTE_MS;
    if (offsetMs > OFFSET_MAX_MS || Number(minutes ?? 0) > 59) throw unknownZone(name);
    return fixedZone(name, sign === '-' ? -offsetMs : offsetMs);
  }
  try {
    return new NamedZone(name);
  } catch {
    throw unknownZone(name);
  }
}

function unknownZone(name: string): RangeError {
  return new RangeError(
    `zone must be utc, an offset like +02:00 or a name like Europe/Berlin, not ${JSON.stringify(name)}`,
  );
}

function fixedZone(name: string, fixedMs: number): Zone {
  return { name, fixedMs, offsetMs: () => fixedMs };
}

class NamedZone implements Zone {
  readonly name: string;
  readonly fixedMs: undefined = undefined;
  readonly #format: Intl.DateTimeFormat;
  /** Offsets by quarter of an hour. */
  readonly #known = new Map<number, number>();
  #lastStep = Number.NaN;
  #lastOffsetMs = 0;

  constructor(name: string) {
    this.name = name;
    this.#format = new Intl.DateTimeFormat('en-US', {
      timeZone: name,
      hourCycle: 'h23',
      era: 'short',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    });
  }

  offsetMs(localMs: number): number {
    const step = Math.floor(localMs / STEP_MS);
    if (step === this.#lastStep) return this.#lastOffsetMs;
    let offsetMs = this.#known.get(step);
    if (offsetMs === undefined) {
      offsetMs = this.#find(step * STEP_MS);
      if (this.#known.size >= STEPS_MAX) this.#known.clear();
      this.#known.set(step, offsetMs);
    }
    this.#lastStep = step;
    this.#lastOffsetMs = offsetMs;
    return offsetMs;
  }

  /** The offset before any change of that day, unless only a later one makes the clocks show that time. */
  #find(localMs: number): number {
    const before = this.#offsetAt(localMs - DAY_MS);
    const after = this.#offsetAt(localMs + DAY_MS);
    if (before === after) return before;
    if (this.#offsetAt(localMs - before) === before) return before;
    return this.#offsetAt(localMs - after) === after ? after : before;
  }

  /** How far the clocks are ahead at an instant. */
  #offsetAt(ms: number): number {
    const parts: Record<string, string> = {};
    for (const { type, value } of this.#format.formatToParts(ms)) parts[type] = value;
    const { era, year, month, day, hour, minute, second } = parts;
    const fullYear = era === 'BC' ? 1 - Number(year) : Number(year);
    const local = new Date(0);
    local.setUTCFullYear(fullYear, Number(month) - 1, Number(day));
    local.setUTCHours(Number(hour), Number(minute), Number(second));
    return local.getTime() - Math.floor(ms / 1000) * 1000;
  }
}
