/** What a story on real pods is, and how many stories are told: one line each, and a plain count at the end. */
import { messageOf } from '../../operator/errors.ts';

export interface Story<Stage> {
  readonly name: string;
  /** Why this machine cannot tell it, which counts it as skipped; undefined where it can. */
  readonly obstacle?: () => string | undefined;
  /** Throws when the story goes wrong; what it returns stands behind its line. */
  readonly run: (stage: Stage, signal: AbortSignal) => Promise<string | void>;
}

export interface Outcome {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** One after the other: they share a machine. A story that takes longer than `limitMs` has failed. */
export async function tell<Stage>(
  stories: readonly Story<Stage>[],
  stage: Stage,
  print: (line: string) => void,
  signal: AbortSignal,
  limitMs = 600_000,
): Promise<Outcome> {
  const count = { passed: 0, failed: 0, skipped: 0 };
  for (const { name, obstacle, run } of stories) {
    const why = obstacle?.();
    if (why !== undefined) {
      count.skipped += 1;
      print(`skip            ${name}: ${why}`);
      continue;
    }
    const begun = performance.now();
    const seconds = () => `${((performance.now() - begun) / 1_000).toFixed(1).padStart(6)} s`;
    try {
      const note = await run(stage, AbortSignal.any([signal, AbortSignal.timeout(limitMs)]));
      count.passed += 1;
      print(`ok    ${seconds()}  ${name}${note ? `: ${note}` : ''}`);
    } catch (error) {
      count.failed += 1;
      print(`FAIL  ${seconds()}  ${name}\n${reasons(error)}`);
    }
  }
  return count;
}

export function summary({ passed, failed, skipped }: Outcome): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
}

function reasons(error: unknown): string {
  const lines: string[] = [];
  for (let cause = error; cause !== undefined && lines.length < 5; cause = (cause as Error).cause)
    lines.push(`      ${messageOf(cause)}`);
  return lines.join('\n');
}
