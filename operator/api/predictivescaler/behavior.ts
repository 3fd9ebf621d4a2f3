/**
 * `spec.behavior`, exactly as in autoscaling/v2. Nothing has a default in the schema: an absent behavior is HPA's
 * algorithm without behaviour, and what HPA fills into one that is given partly depends on the controller's flags
 * (see hpa-defaults.ts), so it is not written into the user's object.
 */
import { z } from 'zod';
import { int32, nonNegativeQuantity } from '../schema/scalars.ts';

const scalingPolicy = z.object({
  type: z.enum(['Pods', 'Percent']).describe('Whether `value` counts pods or per cent of the replicas.'),
  value: int32(1).describe('The most that may change within `periodSeconds`.'),
  periodSeconds: int32(1, 1800).describe('Length of the window that the change is counted in.'),
});

const scalingRules = z.object({
  stabilizationWindowSeconds: int32(0, 3600)
    .optional()
    .describe('How far back recommendations are kept to avoid flapping.'),
  selectPolicy: z
    .enum(['Max', 'Min', 'Disabled'])
    .optional()
    .describe('Which policy wins: the one that allows most, least, or no change in this direction at all.'),
  policies: z.array(scalingPolicy).min(1).max(32).optional().describe('Limits on the speed of change.'),
  tolerance: nonNegativeQuantity
    .optional()
    .describe('Deviation from the target that is not acted on, `"0.1"` for 10 %.'),
});

export const behaviorSchema = z.object({
  scaleUp: scalingRules.optional().describe('Rules for adding replicas.'),
  scaleDown: scalingRules.optional().describe('Rules for removing replicas.'),
});

export type ScalingPolicy = z.infer<typeof scalingPolicy>;
export type ScalingRules = z.infer<typeof scalingRules>;
export type Behavior = z.infer<typeof behaviorSchema>;
