/**
 * What a log was asked to take and what it promised: the plain model that a recovered log is held against.
 *
 * Records are appended by one caller, who numbers them from 0. Whatever happens, the numbers in the log grow
 * from offset to offset, and between two that are there none is missing but those that were refused: that is
 * all of "once, in order, without holes, and nothing that was not attempted".
 *
 * @module
 */

/** What became of a record, as its caller was told: nothing yet, all is well, refused, or lost in a crash. */
type Fate = 'open' | 'acknowledged' | 'refused' | 'lost';

interface Attempt {
  /** How long its value is. */
  readonly bytes: number;
  /** Where it is, once that is known. */
  offset: number | undefined;
  fate: Fate;
}

/** What a log is found to hold. */
export interface Found {
  firstOffset: number;
  /** The records from there on. */
  records: readonly { bytes: number; sequence: number }[];
}

/** What may be found at one moment. */
export interface Bounds {
  /** Records with a smaller number had been attempted. */
  attempted: number;
  /** Offsets below it were promised to be there. */
  promised: number;
  /** Between these two lies the first offset. */
  firstMin: number;
  firstMax: number;
}

/** How far a log says itself that it is. */
export interface Claims {
  firstOffset: number;
  durable: { written: number; synced: number };
}

export class Oracle {
  readonly #attempts: Attempt[] = [];
  /** Offsets below were promised to survive the end of the process, and a power cut. */
  #written = 0;
  #synced = 0;
  #firstMin = 0;
  #firstMax = 0;

  /** How many records were attempted: the number of the next one. */
  get attempted(): number {
    return this.#attempts.length;
  }

  /** Offsets below were promised to survive the end of the process. */
  get written(): number {
    return this.#written;
  }

  /** Offsets below were promised to survive a power cut. */
  get synced(): number {
    return this.#synced;
  }

  /** An oracle that knows the same, and learns for itself. */
  copy(): Oracle {
    const copy = new Oracle();
    copy.restore(this);
    return copy;
  }

  /** Forgets everything but what another one knows. */
  restore(other: Oracle): void {
    const attempts = other.#attempts.map((attempt) => ({ ...attempt }));
    this.#attempts.splice(0, this.#attempts.length, ...attempts);
    this.#written = other.#written;
    this.#synced = other.#synced;
    this.#firstMin = other.#firstMin;
    this.#firstMax = other.#firstMax;
  }

  /** Notes that a record is being appended. Returns its number. */
  attempt(bytes: number): number {
    return this.#attempts.push({ bytes, offset: undefined, fate: 'open' }) - 1;
  }

  /** Notes that a record got its offset, and no promise yet. */
  accepted(sequence: number, offset: number): void {
    this.#of(sequence).offset = offset;
  }

  /** Notes that a record was promised to have reached a level. */
  acknowledged(sequence: number, offset: number, level: 'written' | 'synced'): void {
    const attempt = this.#of(sequence);
    attempt.offset = offset;
    attempt.fate = 'acknowledged';
    this.#written = Math.max(this.#written, offset + 1);
    if (level === 'synced') this.#synced = Math.max(this.#synced, offset + 1);
  }

  /** Notes that the caller was told of a failure: the record may be there or not. */
  refused(sequence: number): void {
    const attempt = this.#of(sequence);
    if (attempt.fate !== 'open') return;
    attempt.fate = 'refused';
    attempt.offset = undefined;
  }

  /** Notes that the records before an offset are to be removed, or (`isDone`) have been. */
  truncated(offset: number, isDone: boolean): void {
    this.#firstMax = Math.max(this.#firstMax, offset);
    if (isDone) this.#firstMin = Math.max(this.#firstMin, offset);
  }

  /**
   * Notes that the log was closed, and said that all went well.
   *
   * @throws Error where something was left behind
   */
  closed(synced: number, nextOffset: number): void {
    expect(synced === nextOffset, `it was closed at offset ${nextOffset}, and only ${synced} are synced`);
    this.#written = Math.max(this.#written, synced);
    this.#synced = Math.max(this.#synced, synced);
  }

  /**
   * Checks a record that was read by its offset.
   *
   * @throws Error where it is another one
   */
  checkAt(sequence: number, offset: number): void {
    const { offset: where } = this.#of(sequence);
    expect(
      where === undefined || where === offset,
      `offset ${offset} is record ${sequence}, which is at ${where}`,
    );
  }

  /** What may be found if the process ended now (`written`), or the power was cut (`synced`). */
  bounds(level: 'written' | 'synced', claims?: Claims): Bounds {
    const promised = level === 'written' ? this.#written : this.#synced;
    return {
      attempted: this.attempted,
      promised: Math.max(promised, claims?.durable[level] ?? 0),
      firstMin: this.#firstMin,
      // Retention moves the beginning by itself.
      firstMax: Math.max(this.#firstMax, claims?.firstOffset ?? 0),
    };
  }

  /**
   * Checks that a log holds what it may and must.
   *
   * @throws Error that says what is wrong
   */
  check({ firstOffset, records }: Found, { attempted, promised, firstMin, firstMax }: Bounds): void {
    const end = firstOffset + records.length;
    expect(end >= promised, `it ends at ${end}, and everything below ${promised} was promised`);
    expect(
      firstOffset <= firstMax,
      `it begins at ${firstOffset}, and nothing from ${firstMax} on was removed`,
    );
    // What was removed may never have been synced itself: then the log is empty, and begins at its end.
    expect(
      firstOffset >= Math.min(firstMin, end),
      `it begins at ${firstOffset}, though ${firstMin} was promised`,
    );
    let next = 0;
    let offset = firstOffset;
    for (const { bytes, sequence } of records) {
      const attempt = this.#attempts[sequence];
      const at = `offset ${offset} is record ${sequence}`;
      expect(attempt !== undefined && sequence < attempted, `${at}, which was not attempted`);
      expect(attempt?.bytes === bytes, `${at} with ${bytes} bytes, and not ${attempt?.bytes}`);
      expect(attempt?.fate !== 'lost', `${at}, which an earlier recovery did not find`);
      expect(sequence >= next, `${at}, and the one before it is ${next - 1}`);
      const where = attempt?.offset;
      expect(where === undefined || where === offset, `${at}, which was acknowledged as offset ${where}`);
      for (; next < sequence; next++) this.#checkSkipped(next, offset, offset > 0 && offset === firstOffset);
      next++;
      offset++;
    }
  }

  /** What a log that was closed holds: its first offset, and the numbers of the records from 0 on. */
  known(): { firstOffset: number; sequences: number[] } {
    const sequences: number[] = [];
    for (const [sequence, { fate, offset }] of this.#attempts.entries()) {
      if (fate === 'acknowledged' && offset !== undefined) sequences[offset] = sequence;
    }
    return { firstOffset: this.#firstMin, sequences };
  }

  /** Takes what a recovery found as the new truth; from then on it must not change any more. */
  settle(found: Found): void {
    const end = found.firstOffset + found.records.length;
    const offsets = new Map(found.records.map(({ sequence }, i) => [sequence, found.firstOffset + i]));
    // What lies before the beginning may be on the disk still, and come back: who reads beside the writer sees it
    // where the beginning could not be noted.
    const first = found.firstOffset === 0 ? 0 : (found.records[0]?.sequence ?? Infinity);
    for (const [sequence, attempt] of this.#attempts.entries()) {
      const offset = offsets.get(sequence);
      const isRemoved = attempt.fate === 'acknowledged' && (attempt.offset ?? 0) < found.firstOffset;
      if (offset === undefined && isRemoved) continue;
      attempt.offset = offset;
      const fate = sequence < first ? 'refused' : 'lost';
      attempt.fate = offset === undefined ? fate : 'acknowledged';
    }
    this.#written = this.#synced = end;
    this.#firstMin = this.#firstMax = found.firstOffset;
  }

  #checkSkipped(sequence: number, offset: number, canBeRemoved: boolean): void {
    const { fate, offset: where } = this.#of(sequence);
    if (fate === 'refused' || fate === 'lost') return;
    const isRemoved = canBeRemoved && (where === undefined || where < offset);
    expect(isRemoved, `record ${sequence} (${fate}, offset ${where}) is missing before offset ${offset}`);
  }

  #of(sequence: number): Attempt {
    const attempt = this.#attempts[sequence];
    if (attempt === undefined) throw new Error(`there is no record ${sequence}`);
    return attempt;
  }
}

function expect(condition: boolean, message: string): void {
  if (!condition) throw new Error(message);
}
