import { expect, test } from '@jest/globals';
import { known, unknown } from '../observation.ts';
import { OutageTracker } from './outage-tracker.ts';

test('an outage counts from its first unknown, through changing reasons, until there is a value', () => {
  const tracker = new OutageTracker(() => 0);
  expect(tracker.settle('a', unknown('Timeout', 'x', 100))).toMatchObject({ since: 100 });
  expect(tracker.settle('a', unknown('NoData', 'y', 200))).toEqual(unknown('NoData', 'y', 100));
  expect(tracker.settle('b', unknown('NoData', 'y', 300))).toMatchObject({ since: 300 });
  expect(tracker.settle('a', known(1, 400))).toEqual(known(1, 400));
  expect(tracker.settle('a', unknown('NoData', 'y', 500))).toMatchObject({ since: 500 });
});

test('a jump of the clock makes an outage neither longer nor shorter', () => {
  let jumped = 0;
  const tracker = new OutageTracker(() => jumped);
  tracker.settle('a', unknown('Timeout', 'x', 10_000));
  jumped = 3_600_000;
  expect(tracker.settle('a', unknown('Timeout', 'x', 3_625_000))).toMatchObject({ since: 3_610_000 });
  jumped = -5_000;
  expect(tracker.settle('a', unknown('Timeout', 'x', 35_000))).toMatchObject({ since: 5_000 });
});

test('memory stays bounded, and what is asked about stays', () => {
  const tracker = new OutageTracker(() => 0, 100);
  for (let at = 1; at <= 10_000; at += 1) {
    tracker.settle(`gone-${at}`, unknown('NoData', 'x', at));
    expect(tracker.settle('kept', unknown('NoData', 'x', at))).toMatchObject({ since: 1 });
  }
  expect(tracker.settle('gone-1', unknown('NoData', 'x', 99_999))).toMatchObject({ since: 99_999 });
});
