/**
 * `make e2e`: the stories that need pods which run, on a real kubelet. A line per story, a plain count at the end.
 * Where no real node can run the stories count as skipped, with the reason; with `--if-built` also where its programs
 * would have to be compiled first, which takes as long as all other tests; with `--quick` those that take most of the
 * time are skipped.
 */
import { parseArgs } from 'node:util';
import { messageOf } from '../../operator/errors.ts';
import { binariesStand, ensureBinaries, GATEWAY_TOOLS, NODE_TOOLS, type Tool } from '../binaries.ts';
import { DEFAULT_TOOLS } from '../cluster.ts';
import { realNodeObstacle } from './requirements.ts';
import { setNodeStage } from './stage.ts';
import { GATEWAY } from './stories/gateway.ts';
import { LIFETIME } from './stories/lifetime.ts';
import { NODE } from './stories/node.ts';
import { ROLLOUT } from './stories/rollout.ts';
import { ROLLOUT_FAULTS } from './stories/rollout-faults.ts';
import { ROLLOUT_FORECASTER } from './stories/rollout-forecaster.ts';
import { ROLLOUT_GRPC } from './stories/rollout-grpc.ts';
import { ROLLOUT_JUDGED } from './stories/rollout-judged.ts';
import { RIGHTS, SCALING } from './stories/scaling.ts';
import { TRAINING } from './stories/training.ts';
import { TRAINING_FAULTS } from './stories/training-faults.ts';
import { TRAINING_HTTPS } from './stories/training-https.ts';
import { TRAINING_SEARCH } from './stories/training-search.ts';
import { TRAINING_TRIGGERS } from './stories/training-triggers.ts';
import { TRAINING_VOLUME } from './stories/training-volume.ts';
import { type Outcome, type Story, summary, tell } from './story.ts';

const { values: flags } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    'if-built': { type: 'boolean', default: false },
    quick: { type: 'boolean', default: false },
  },
});
const print = (line: string) => void process.stdout.write(`${line}\n`);
const chosen = <Stage>(stories: readonly Story<Stage>[]) =>
  stories.filter(({ name }) => name.includes(flags.only));
const lifetime = chosen(LIFETIME);
const LONG = [
  ...ROLLOUT_FAULTS,
  ...ROLLOUT_FORECASTER,
  ...ROLLOUT_GRPC,
  ...TRAINING_FAULTS,
  ...TRAINING_SEARCH,
  ...TRAINING_HTTPS,
  ...TRAINING_VOLUME,
  ...TRAINING_TRIGGERS,
  ...GATEWAY,
];
const wanted = chosen([...NODE, ...SCALING, ...ROLLOUT, ...ROLLOUT_JUDGED, ...TRAINING, ...LONG, ...RIGHTS]);
const onStage = flags.quick ? wanted.filter((story) => !LONG.includes(story)) : wanted;
const left = wanted.length - onStage.length;
const TOOLS: readonly Tool[] = [
  ...DEFAULT_TOOLS,
  ...NODE_TOOLS,
  'helm',
  'prometheus',
  // Much to compile for three stories.
  ...(onStage.some((story) => GATEWAY.includes(story)) ? GATEWAY_TOOLS : []),
];

const interrupted = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const)
  process.once(name, () => interrupted.abort(new Error(`ended by ${name}`)));

const outcome = await tellAll(interrupted.signal);
print(summary(outcome));
process.exitCode = outcome.failed === 0 ? 0 : 1;

async function tellAll(signal: AbortSignal): Promise<Outcome> {
  const obstacle = realNodeObstacle() ?? (await toBuild());
  if (obstacle !== undefined) {
    print(`skipped: ${obstacle}`);
    return { passed: 0, failed: 0, skipped: lifetime.length + wanted.length };
  }
  if (left > 0) print(`skipped: ${left} stories that take long; \`make e2e\` tells them`);
  await ensureBinaries(TOOLS, signal);
  const first = await tell(lifetime, undefined, print, signal);
  if (onStage.length === 0) return { ...first, skipped: first.skipped + left };
  try {
    const stage = await setNodeStage(print, signal);
    try {
      const second = await tell(onStage, stage, print, signal);
      return {
        passed: first.passed + second.passed,
        failed: first.failed + second.failed,
        skipped: first.skipped + second.skipped + left,
      };
    } finally {
      await stage.close();
    }
  } catch (error) {
    print(`FAIL  the stage could not be set: ${messageOf(error)}`);
    return { ...first, failed: first.failed + onStage.length, skipped: first.skipped + left };
  }
}

async function toBuild(): Promise<string | undefined> {
  if (!flags['if-built'] || (await binariesStand(TOOLS))) return undefined;
  return 'the programs of a real node are not built yet; `make e2e` builds them and tells the stories';
}
