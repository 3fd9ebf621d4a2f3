import { expect, test } from '@jest/globals';
import { Progress } from './progress.ts';

function progressOn(output: { isTTY?: boolean; columns?: number }): {
  progress: Progress;
  written: string[];
} {
  const written: string[] = [];
  const write = (text: unknown): boolean => written.push(String(text)) > 0;
  return { progress: new Progress({ ...output, write }), written };
}

test('a log gets a line for each part that is done, once', () => {
  const { progress, written } = progressOn({});
  progress.expect(2);
  progress.show('web: forecasting', 1, 2);
  progress.show('web: forecasting', 2, 2);
  progress.show('web: forecasting', 2, 2);
  progress.partDone('web');
  progress.note('shop: failed');
  progress.partDone('shop');
  expect(written).toEqual(['web: forecasting: done\n', '1/2 web\n', 'shop: failed\n', '2/2 shop\n']);
});

test('a terminal shows all that runs in one line, no wider than it is', () => {
  const { progress, written } = progressOn({ isTTY: true, columns: 30 });
  progress.expect(3);
  progress.show('web: forecasting', 1, 4);
  expect(written.at(-1)).toBe('\r\u001b[K0/3 web: forecasting 25 %');
  progress.note('a line that stays');
  expect(written.slice(-2)).toEqual(['\r\u001b[K', 'a line that stays\n']);
});

test('a terminal that does not know its width', () => {
  const { progress, written } = progressOn({ isTTY: true, columns: 0 });
  progress.show('web: forecasting', 1, 4);
  expect(written).toEqual(['\r\u001b[Kweb: forecasting 25 %']);
});

test('what has ended early is not shown any more, what is called alike is', async () => {
  const { progress, written } = progressOn({ isTTY: true, columns: 60 });
  progress.show('web', 0, 1);
  progress.show('web: deciding', 1, 2);
  progress.show('web2: deciding', 1, 4);
  // Lines are drawn ten times a second.
  await new Promise((resolve) => setTimeout(resolve, 120));
  progress.partDone('web');
  expect(written.at(-1)).toBe('\r\u001b[Kweb2: deciding 25 %');
});
