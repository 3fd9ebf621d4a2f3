/** Gives Prometheus a past: two weeks of the trace, at the speed of the replay, as blocks made by promtool. */
import { execFile } from 'node:child_process';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Calendar } from '../../operator/clock.ts';
import { METRIC } from './settings.ts';
import { HISTORY_MINUTES, loadAt, MINUTE_MS, type Trace } from './trace.ts';

/** @param untilMs load time at which live scraping takes over */
export async function writeHistory(
  promtool: string,
  folder: string,
  dataDir: string,
  trace: Trace,
  calendar: Calendar,
  untilMs: number,
): Promise<number> {
  const lines: string[] = [`# TYPE ${METRIC} gauge`];
  const until = Math.floor(untilMs / MINUTE_MS) * MINUTE_MS;
  for (let at = until - HISTORY_MINUTES * MINUTE_MS; at < until; at += MINUTE_MS) {
    const load = loadAt(trace, at);
    if (load !== undefined) lines.push(`${METRIC} ${load} ${(calendar.toReal(at) / 1000).toFixed(3)}`);
  }
  const file = join(folder, 'history.om');
  await writeFile(file, `${lines.join('\n')}\n# EOF\n`);
  await promisify(execFile)(promtool, [
    'tsdb',
    'create-blocks-from',
    'openmetrics',
    '--quiet',
    file,
    dataDir,
  ]);
  await rm(file);
  return lines.length - 1;
}

/** Scraped samples carry the same labels as the written ones (none), so that both are one series. */
export function prometheusConfig(target: string): string {
  return `global: {scrape_interval: 500ms, scrape_timeout: 500ms}
scrape_configs:
- job_name: demo
  static_configs: [{targets: ["${target}"]}]
  metric_relabel_configs:
  - {action: labeldrop, regex: "job|instance"}
`;
}
