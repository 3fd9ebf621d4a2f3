/** The result as text, whoever wins. */
import type { Elasticity } from '../../operator/simulate/elasticity.ts';

export function resultTable(ours: Elasticity, hpa: Elasticity): string {
  const rows: [string, (elasticity: Elasticity) => number, number][] = [
    ['under-provisioned, minutes', (s) => s.underProvisionedMinutes, 1],
    ['replica-minutes short', (s) => s.replicaMinutesShort, 1],
    ['time short (tau_U), %', (s) => s.tauU, 2],
    ['mean shortage (theta_U), %', (s) => s.thetaU, 2],
    ['mean surplus (theta_O), %', (s) => s.thetaO, 1],
    ['replica-hours', (s) => s.replicaHours, 1],
    ['scalings', (s) => s.actions, 0],
  ];
  const lines = [['', 'PredictiveScaler', 'real HPA', 'difference']];
  for (const [name, read, digits] of rows) {
    const [a, b] = [read(ours), read(hpa)];
    lines.push([name, a.toFixed(digits), b.toFixed(digits), relative(a, b)]);
  }
  const widths = [0, 1, 2, 3].map((column) => Math.max(...lines.map((row) => (row[column] ?? '').length)));
  return lines
    .map((row) =>
      row
        .map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
        .join('   ')
        .trimEnd(),
    )
    .join('\n');
}

/** A ratio to nothing says nothing. */
function relative(a: number, b: number): string {
  if (b === 0) return a === 0 ? '0 %' : 'n/a';
  const percent = 100 * (a / b - 1);
  return `${percent > 0 ? '+' : ''}${percent.toFixed(0)} %`;
}
