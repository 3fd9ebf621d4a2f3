/** What an administrator who changes nothing gives the pods, with a short image. */
import { parseConfig } from '../../../config.ts';
import type { ChildSettings } from '../objects.ts';

const { fetch } = parseConfig({}, 'defaults').modelServing;

export const CHILD_SETTINGS: ChildSettings = {
  image: 'foresail:1',
  command: ['foresail'],
  fetch,
  minReadySeconds: 0,
};
