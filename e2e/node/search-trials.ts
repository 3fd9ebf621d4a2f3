/** What a search has written of its trials, read without asking whoever wrote it: Optuna's journal, replayed, or its tables. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Postgres } from './postgres.ts';

/** Optuna's numbers of what a record does, and of the state of a trial. */
const [CREATE_TRIAL, SET_PARAMETER, SET_STATE] = [4, 5, 6];
const [RUNNING, COMPLETE, PRUNED] = [0, 1, 2];

interface Trial {
  readonly number: number;
  readonly parameters: Record<string, number>;
  isRunning: boolean;
}

/** A trial that was finished or pruned. */
export interface EndedTrial {
  readonly number: number;
  /** Its hyperparameters, so that equal ones are equal texts. */
  readonly parameters: string;
  /** Of a pruned one what it had reached. */
  readonly score: number | undefined;
  readonly pruned: boolean;
}

export interface SearchTrials {
  /** In the order in which they ended; one that ended twice stands there twice. */
  readonly ended: readonly EndedTrial[];
  /** Numbers of those that run, as far as the journal knows. */
  readonly running: readonly number[];
}

/** Of a run's folder. Of a search that has not begun: nothing. */
export async function searchJournal(folder: string): Promise<SearchTrials> {
  const journal = join(folder, 'search/journal.log');
  const lines = (await readFile(journal, 'utf8').catch(() => '')).split('\n');
  // What lies behind the last line break is being written, or was when its process was killed.
  return replay(lines.slice(0, -1).map((line) => JSON.parse(line) as JournalRecord));
}

const TRIALS = `
  SELECT json_build_object('number', number, 'state', state, 'score', (
      SELECT value FROM trial_values WHERE trial_id = trials.trial_id
    ), 'parameters', (
      SELECT string_agg(param_name || '=' || param_value, ' ' ORDER BY param_name) FROM trial_params WHERE trial_id = trials.trial_id
    ))
  FROM trials ORDER BY datetime_complete, number`;

interface TrialRow {
  readonly number: number;
  readonly state: string;
  readonly score: number | null;
  readonly parameters: string | null;
}

/** Of the one search that a database has. Before it has tables it throws. */
export async function searchTables(database: Postgres): Promise<SearchTrials> {
  const rows = (await database.query(TRIALS)).map((line) => JSON.parse(line) as TrialRow);
  return {
    ended: rows
      .filter(({ state }) => state === 'COMPLETE' || state === 'PRUNED')
      .map(({ number, state, score, parameters }) => ({
        number,
        parameters: parameters ?? '',
        score: score ?? undefined,
        pruned: state === 'PRUNED',
      })),
    running: rows.filter(({ state }) => state === 'RUNNING').map(({ number }) => number),
  };
}

interface JournalRecord {
  readonly op_code: number;
  readonly trial_id?: number;
  readonly params?: Readonly<Record<string, number>>;
  readonly param_name?: string;
  readonly param_value_internal?: number;
  readonly state?: number;
  readonly values?: readonly number[] | null;
}

function replay(records: readonly JournalRecord[]): SearchTrials {
  const trials: Trial[] = [];
  const ended: EndedTrial[] = [];
  for (const record of records) {
    if (record.op_code === CREATE_TRIAL)
      trials.push({ number: trials.length, parameters: { ...record.params }, isRunning: true });
    const trial = trials[record.trial_id ?? -1];
    if (trial === undefined) continue;
    if (record.op_code === SET_PARAMETER)
      trial.parameters[record.param_name ?? ''] = record.param_value_internal ?? Number.NaN;
    if (record.op_code !== SET_STATE) continue;
    trial.isRunning = record.state === RUNNING;
    if (record.state !== COMPLETE && record.state !== PRUNED) continue;
    ended.push({
      number: trial.number,
      parameters: textOf(trial.parameters),
      score: record.values?.[0],
      pruned: record.state === PRUNED,
    });
  }
  return { ended, running: trials.filter(({ isRunning }) => isRunning).map(({ number }) => number) };
}

function textOf(parameters: Readonly<Record<string, number>>): string {
  const parts = Object.entries(parameters).map(([name, value]) => `${name}=${value}`);
  return parts.toSorted((a, b) => a.localeCompare(b)).join(' ');
}
