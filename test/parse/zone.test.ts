import { describe, expect, it } from 'vitest';

import { findZone } from '../../src/parse/zone.ts';

/** The instant at which the clocks of a zone show a time, written as if it were UTC. */
function instant(zone: string, local: string): string {
  const localMs = Date.parse(`${local}Z`);
  return new Date(localMs - findZone(zone).offsetMs(localMs)).toISOString();
}

describe('findZone', () => {
  it('knows UTC and fixed offsets', () => {
    for (const name of ['utc', 'UTC', 'GMT', 'Z', '+00:00']) expect(findZone(name).fixedMs).toBe(0);
    expect(instant('+02:00', '2020-01-01T00:00:00')).toBe('2019-12-31T22:00:00.000Z');
    expect(instant('-0330', '2020-01-01T00:00:00')).toBe('2020-01-01T03:30:00.000Z');
    expect(instant('+05', '2020-01-01T05:00:00')).toBe('2020-01-01T00:00:00.000Z');
  });

  it('refuses what is no zone', () => {
    for (const name of ['', 'here', '+25:00', '+01:60', '+1', 'Europe/Nowhere', '02:00']) {
      expect(() => findZone(name)).toThrow(RangeError);
    }
  });

  it('knows when the clocks of a place are set', () => {
    const berlin = 'Europe/Berlin';
    expect(instant(berlin, '2021-01-15T12:00:00')).toBe('2021-01-15T11:00:00.000Z');
    expect(instant(berlin, '2021-07-15T12:00:00')).toBe('2021-07-15T10:00:00.000Z');
    // On 28 March 2021 there was no time from 02:00 to 03:00.
    expect(instant(berlin, '2021-03-28T01:59:59')).toBe('2021-03-28T00:59:59.000Z');
    expect(instant(berlin, '2021-03-28T02:30:00')).toBe('2021-03-28T01:30:00.000Z');
    expect(instant(berlin, '2021-03-28T03:00:00')).toBe('2021-03-28T01:00:00.000Z');
    // On 31 October 2021 there were two.
    expect(instant(berlin, '2021-10-31T01:59:59')).toBe('2021-10-30T23:59:59.000Z');
    expect(instant(berlin, '2021-10-31T02:30:00')).toBe('2021-10-31T00:30:00.000Z');
    expect(instant(berlin, '2021-10-31T03:00:00')).toBe('2021-10-31T02:00:00.000Z');
  });

  it('knows places whose clocks are set by half an hour, west of UTC and far ahead of it', () => {
    expect(instant('Australia/Lord_Howe', '2021-04-04T02:15:00')).toBe('2021-04-03T15:45:00.000Z');
    expect(instant('Australia/Lord_Howe', '2021-04-04T01:45:00')).toBe('2021-04-03T14:45:00.000Z');
    expect(instant('America/New_York', '2021-03-14T03:00:00')).toBe('2021-03-14T07:00:00.000Z');
    expect(instant('America/New_York', '2021-03-14T01:59:59')).toBe('2021-03-14T06:59:59.000Z');
    expect(instant('Pacific/Kiritimati', '2021-03-14T00:00:00')).toBe('2021-03-13T10:00:00.000Z');
  });

  it('takes every hour of a year there and back', () => {
    const wrong: [string, number][] = [];
    for (const name of ['Europe/Berlin', 'America/St_Johns', 'Australia/Sydney', 'Asia/Kathmandu']) {
      const zone = findZone(name);
      const format = new Intl.DateTimeFormat('sv-SE', {
        timeZone: name,
        dateStyle: 'short',
        timeStyle: 'medium',
      });
      for (let ms = Date.UTC(2022, 0, 1); ms < Date.UTC(2023, 0, 1); ms += 3_600_000) {
        const localMs = Date.parse(`${format.format(ms).replace(' ', 'T')}Z`);
        const back = localMs - zone.offsetMs(localMs);
        if (back !== ms) wrong.push([name, ms - back]);
      }
    }
    // Of two instants with the same local time, it is the first.
    expect(wrong).toEqual([
      ['Europe/Berlin', 3_600_000],
      ['America/St_Johns', 3_600_000],
      ['Australia/Sydney', 3_600_000],
    ]);
  });
});
