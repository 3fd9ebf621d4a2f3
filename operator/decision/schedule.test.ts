import { describe, expect, test } from '@jest/globals';
import { MINUTE } from './fixtures.ts';
import { activeSchedules, compileSchedule, nextScheduleChange, type SchedulePlan } from './schedule.ts';

const HOUR = 60 * MINUTE;

function schedule(change: Partial<SchedulePlan> = {}) {
  return compileSchedule({
    name: 'sale',
    schedule: '0 8 * * 5',
    durationMs: 4 * HOUR,
    timeZone: 'Europe/Berlin',
    minReplicas: 10,
    ...change,
  });
}

const isActive = (at: string, change?: Partial<SchedulePlan>): boolean =>
  activeSchedules([schedule(change)], Date.parse(at)).length === 1;

describe('a schedule', () => {
  test.each([
    ['2026-01-02T06:59:59.999Z', false],
    ['2026-01-02T07:00:00.000Z', true],
    ['2026-01-02T10:59:59.999Z', true],
    ['2026-01-02T11:00:00.000Z', false],
    ['2026-01-03T08:00:00.000Z', false],
    ['2026-07-03T05:59:59.000Z', false], // summer: 8 o'clock in Berlin is 6 in UTC
    ['2026-07-03T06:00:00.000Z', true],
  ])('Fridays 8 to 12 in Berlin, at %s: %s', (at, active) => {
    expect(isActive(at)).toBe(active);
  });

  test('says its bounds and its end', () => {
    expect(activeSchedules([schedule({ maxReplicas: 20 })], Date.parse('2026-01-02T07:30:00Z'))).toEqual([
      { name: 'sale', minReplicas: 10, maxReplicas: 20, untilMs: Date.parse('2026-01-02T11:00:00Z') },
    ]);
  });

  // Clocks go from 2:00 to 3:00 on 2026-03-29 (01:00Z) and from 3:00 back to 2:00 on 2026-10-25 (01:00Z).
  const night = { schedule: '30 2 * * *', durationMs: 20 * MINUTE };
  test.each([
    ['2026-03-29T00:59:59.999Z', false],
    ['2026-03-29T01:00:00.000Z', true],
    ['2026-03-29T01:19:59.999Z', true],
    ['2026-03-29T01:20:00.000Z', false],
    ['2026-03-29T01:30:00.000Z', false],
  ])('a start in the hour that is skipped happens right after it: at %s %s', (at, active) => {
    expect(isActive(at, night)).toBe(active);
  });

  test.each([
    ['2026-10-25T00:29:59.999Z', false],
    ['2026-10-25T00:30:00.000Z', true], // 2:30 summer time
    ['2026-10-25T00:50:00.000Z', false],
    ['2026-10-25T01:30:00.000Z', false], // 2:30 winter time, an hour later
  ])('a start in the hour that comes twice happens once: at %s %s', (at, active) => {
    expect(isActive(at, night)).toBe(active);
  });

  test('lasts in real time across a change of clocks', () => {
    const long = { schedule: '0 1 * * *', durationMs: 3 * HOUR };
    // starts at 00:00Z in winter time; three real hours later it is 5:00 summer time
    expect(isActive('2026-03-29T02:59:59Z', long)).toBe(true);
    expect(isActive('2026-03-29T03:00:00Z', long)).toBe(false);
  });

  test('overlapping runs of one schedule keep it active, until the end of the latest', () => {
    const hourly = schedule({ schedule: '0 * * * *', durationMs: 90 * MINUTE });
    const [active] = activeSchedules([hourly], Date.parse('2026-01-02T07:45:00Z'));
    expect(active?.untilMs).toBe(Date.parse('2026-01-02T08:30:00Z'));
  });

  test('a leap day is found four years back', () => {
    const leap = { schedule: '0 0 29 2 *', durationMs: 24 * HOUR, timeZone: 'UTC' };
    expect(isActive('2028-02-29T12:00:00Z', leap)).toBe(true);
    expect(isActive('2027-03-01T00:00:00Z', leap)).toBe(false);
  });

  test('refuses what is no cron expression', () => {
    expect(() => schedule({ schedule: '61 8 * * *' })).toThrow(/minute/);
  });
});

describe('the next change', () => {
  test.each([
    ['before the start', '2026-01-02T06:00:00Z', '2026-01-02T07:00:00Z'],
    ['while active', '2026-01-02T07:00:00Z', '2026-01-02T11:00:00Z'],
    ['after the end', '2026-01-02T11:00:00Z', '2026-01-09T07:00:00Z'],
  ])('%s', (_, at, next) => {
    expect(nextScheduleChange([schedule()], Date.parse(at))).toBe(Date.parse(next));
  });

  test('is none without schedules', () => {
    expect(nextScheduleChange([], 0)).toBeUndefined();
  });
});
