/** `spec.rollout.judge`: how sure the judge must be, how long it may take, and what happens when it never is. */
import { z } from 'zod';
import { withRules } from '../schema/rules.ts';
import { duration, int32, nonNegativeQuantity, pathSegment, text } from '../schema/scalars.ts';

/** A name that is a kind of guard or, for `Prometheus`, a query of one's own. */
const guardSchema = withRules(
  z.object({
    type: z
      .enum(['Errors', 'Latency', 'NaN', 'Prometheus'])
      .describe(
        '`Errors`, `Latency` and `NaN` compare what the new version’s pods count with stable pods of the same age; ' +
          '`Prometheus` asks a query.',
      ),
    prometheus: z
      .object({
        serverRef: z
          .object({ name: pathSegment(253).describe('Name of a server that the administrator has listed.') })
          .describe('Server that is asked.'),
        query: text(4096).describe(
          'Query that gives one number. `{{canary}}` and `{{stable}}` in it stand for the numbers of the two versions, ' +
            '`{{name}}` and `{{namespace}}` for those of the object.',
        ),
        max: nonNegativeQuantity.optional().describe('A value above it is a failure.'),
        min: nonNegativeQuantity.optional().describe('A value below it is a failure.'),
        interval: duration('5s', '24h').default('1m').describe('Between two measurements.'),
        count: int32(1, 10_000).default(5).describe('Values inside the limits before the guard is passed.'),
        failureLimit: int32(0, 10_000)
          .default(0)
          .describe('Failures that are put up with; one more and the version goes back.'),
        inconclusiveLimit: int32(0, 10_000)
          .default(0)
          .describe(
            'Answers without a number (empty, NaN) in a row that are put up with; while there are more, nothing is promoted.',
          ),
        consecutiveErrorLimit: int32(0, 10_000)
          .default(4)
          .describe(
            'Requests without an answer in a row that are put up with; while there are more, nothing is promoted.',
          ),
      })
      .optional()
      .describe('For `Prometheus`.'),
  }),
  {
    cel: "(self.type == 'Prometheus') == has(self.prometheus)",
    message: 'prometheus is required for the type Prometheus, and forbidden for the others',
    path: ['prometheus'],
    holds: ({ type, prometheus }) => (type === 'Prometheus') === (prometheus !== undefined),
  },
  {
    cel: '!has(self.prometheus) || has(self.prometheus.max) || has(self.prometheus.min)',
    message: 'prometheus.max or prometheus.min is required',
    path: ['prometheus'],
    holds: ({ prometheus }) =>
      prometheus === undefined || prometheus.max !== undefined || prometheus.min !== undefined,
  },
);

export const judgeSchema = z.object({
  margin: z
    .string()
    .max(6)
    .regex(/^0\.[0-9]{1,4}$/)
    .default('0.02')
    .describe('How much worse the new version’s loss may be and still count as no worse, as a share.'),
  minLabels: int32(1, 1_000_000)
    .default(500)
    .describe(
      'Scored forecasts before any verdict; for a generic model, requests of each version before a promotion.',
    ),
  maxDuration: duration('1m', '2160h')
    .default('48h')
    .describe('How long an analysis may be without a verdict.'),
  onInconclusive: z
    .enum(['Hold', 'Promote', 'Rollback'])
    .default('Hold')
    .describe('What then happens. `Hold` waits for a person.'),
  onNoData: z
    .enum(['Hold', 'Rollback'])
    .default('Hold')
    .describe('What then happens when nothing was scored. No data never promotes.'),
  guards: z
    .array(guardSchema)
    .max(16)
    .optional()
    .describe('What sends a version back beside its forecasts. Absent: `Errors`, `Latency` and `NaN`.')
    .meta({ 'x-kubernetes-list-type': 'atomic' }),
});

export type GuardSpec = z.infer<typeof guardSchema>;
export type JudgeSpec = z.infer<typeof judgeSchema>;
