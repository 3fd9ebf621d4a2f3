import { expect, test } from '@jest/globals';
import { known, unknown } from '../observation.ts';
import { OutageTracker } from './outage-tracker.ts';

test('an outage counts from its first unknown, through changing reasons, until there is a value', () => {
  const tracker = new OutageTracker();
  expect(tracker.settle('a', unknown('Timeout', 'x', 100))).toMatchObject({ since: 100 });
  expect(tracker.settle('a', unknown('NoData', 'y', 200))).toEqual(unknown('NoData', 'y', 100));
  expect(tracker.settle('b', unknown('NoData', 'y', 300))).toMatchObject({ since: 300 });
  expect(tracker.settle('a', known(1, 400))).toEqual(known(1, 400));
  expect(tracker.settle('a', unknown('NoData', 'y', 500))).toMatchObject({ since: 500 });
});

test('memory stays bounded, and what is asked about stays', () => {
  const tracker = new OutageTracker(100);
  for (let at = 1; at <= 10_000; at += 1) {
    tracker.settle(`gone-${at}`, unknown('NoData', 'x', at));
    expect(tracker.settle('kept', unknown('NoData', 'x', at))).toMatchObject({ since: 1 });
  }
  expect(tracker.settle('gone-1', unknown('NoData', 'x', 99_999))).toMatchObject({ since: 99_999 });
});
