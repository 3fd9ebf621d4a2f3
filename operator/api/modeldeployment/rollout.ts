/**
 * `spec.rollout`: the way of a new version from its first pod to all of the traffic, and a person's word on it.
 *
 * Each word names the version that it is about. So it can stay in a manifest, can be applied twice, and never hits a
 * version that came later.
 */
import { z } from 'zod';
import { withRules } from '../schema/rules.ts';
import { duration, int32 } from '../schema/scalars.ts';
import { judgeSchema } from './judge.ts';

const STEP_KINDS = ['shadow', 'setWeight', 'pause', 'analysis'] as const;

const stepSchema = withRules(
  z.object({
    shadow: z
      .object({
        percent: int32(0, 100)
          .default(100)
          .describe('Share of the requests that is copied to the new version.'),
      })
      .optional()
      .describe(
        'Copies requests to the new version and throws its answers away. It lasts until another shadow step, or ' +
          'until the new version has all the traffic.',
      ),
    setWeight: int32(0, 100)
      .optional()
      .describe('Per cent of the traffic that the new version answers, once enough of its pods are ready.'),
    pause: z
      .object({
        duration: duration('1s', '720h')
          .optional()
          .describe('How long to wait. Absent: until a person promotes the step.'),
      })
      .optional()
      .describe('Waits.'),
    analysis: z
      .object({})
      .optional()
      .describe('Waits for the judge: on with Promote, back with Rollback, as `judge` says otherwise.'),
  }),
  {
    cel: `[${STEP_KINDS.map((kind) => `has(self.${kind})`).join(', ')}].filter(x, x).size() == 1`,
    message: `exactly one of ${STEP_KINDS.join(', ')} is required in a step`,
    holds: (step) => STEP_KINDS.filter((kind) => step[kind] !== undefined).length === 1,
  },
);

const stepsSchema = withRules(z.array(stepSchema).max(64), {
  cel: 'self.filter(s, has(s.setWeight)).map(s, s.setWeight).isSorted()',
  message: 'setWeight of the steps must not fall from one step to a later one',
  holds: (steps) => {
    const weights = steps.flatMap(({ setWeight }) => (setWeight === undefined ? [] : [setWeight]));
    return weights.every((weight, i) => i === 0 || weight >= (weights[i - 1] ?? 0));
  },
});

const version = () => int32(1);

export const rolloutSchema = z.object({
  steps: stepsSchema
    .default([])
    .describe(
      'What happens between a new version’s first ready pod and its promotion. Empty: it is promoted as soon as ' +
        'its pods are ready. The first version of all, and one that was promoted before, take no steps.',
    )
    .meta({ 'x-kubernetes-list-type': 'atomic' }),
  judge: judgeSchema.prefault({}).describe('When a new version is good enough, and when too bad.'),
  progressDeadline: duration('10s', '24h')
    .default('10m')
    .describe('A new version whose pods are not ready for so long goes back.'),
  postPromotionWatch: duration('1m', '720h')
    .default('24h')
    .describe(
      'How long the replaced version keeps all its pods after a promotion, is scored beside the new one, and is ' +
        'returned to at once when the judge says so.',
    ),
  paused: z
    .boolean()
    .default(false)
    .describe('While true no step begins and nothing is promoted; what is unsafe still goes back.'),
  promote: z
    .object({
      version: version().describe('Version that is meant; nothing happens to any other.'),
      step: int32(0, 63)
        .optional()
        .describe('Last step, counted from 0, that need not be waited for. Absent: all of them.'),
    })
    .optional()
    .describe('A person’s word that the version may go on.'),
  abort: z
    .object({ version: version().describe('Version that is meant; nothing happens to any other.') })
    .optional()
    .describe('A person’s word that the version goes back. Without effect on a version that was promoted.'),
  retry: z
    .object({ version: version().describe('Version that is meant, while no newer one exists.') })
    .optional()
    .describe('A person’s word that a version that went back is tried anew, as a version of its own.'),
  undo: z
    .object({
      version: version().describe('Version that is undone, while no newer one exists.'),
      to: version().describe('Version of `status.history` that serves in its place, without steps.'),
    })
    .optional()
    .describe(
      'A person’s word that an older version serves again, for as long as `model` asks for the undone one.',
    ),
});

export type RolloutSpec = z.infer<typeof rolloutSchema>;
export type Step = z.infer<typeof stepSchema>;
