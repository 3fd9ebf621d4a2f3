/**
 * `make e2e`: the stories that need pods which run, on a real kubelet. A line per story, a plain count at the end.
 * Where no real node can run the stories count as skipped, with the reason.
 */
import { parseArgs } from 'node:util';
import { messageOf } from '../../operator/errors.ts';
import { ensureBinaries, NODE_TOOLS } from '../binaries.ts';
import { DEFAULT_TOOLS } from '../cluster.ts';
import { realNodeObstacle } from './requirements.ts';
import { setNodeStage } from './stage.ts';
import { LIFETIME } from './stories/lifetime.ts';
import { NODE } from './stories/node.ts';
import { SCALING } from './stories/scaling.ts';
import { type Outcome, type Story, summary, tell } from './story.ts';

const { values: flags } = parseArgs({ options: { only: { type: 'string', default: '' } } });
const print = (line: string) => void process.stdout.write(`${line}\n`);
const chosen = <Stage>(stories: readonly Story<Stage>[]) =>
  stories.filter(({ name }) => name.includes(flags.only));
const lifetime = chosen(LIFETIME);
const onStage = chosen([...NODE, ...SCALING]);

const interrupted = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const)
  process.once(name, () => interrupted.abort(new Error(`ended by ${name}`)));

const outcome = await tellAll(interrupted.signal);
print(summary(outcome));
process.exitCode = outcome.failed === 0 ? 0 : 1;

async function tellAll(signal: AbortSignal): Promise<Outcome> {
  const obstacle = realNodeObstacle();
  if (obstacle !== undefined) {
    print(`skipped: ${obstacle}`);
    return { passed: 0, failed: 0, skipped: lifetime.length + onStage.length };
  }
  await ensureBinaries([...DEFAULT_TOOLS, ...NODE_TOOLS, 'helm'], signal);
  const first = await tell(lifetime, undefined, print, signal);
  if (onStage.length === 0) return first;
  try {
    const stage = await setNodeStage(print, signal);
    try {
      const second = await tell(onStage, stage, print, signal);
      return { passed: first.passed + second.passed, failed: first.failed + second.failed, skipped: 0 };
    } finally {
      await stage.close();
    }
  } catch (error) {
    print(`FAIL  the stage could not be set: ${messageOf(error)}`);
    return { ...first, failed: first.failed + onStage.length };
  }
}
