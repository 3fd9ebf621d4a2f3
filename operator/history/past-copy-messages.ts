/** What the thread that copies the past and the thread that asks for it say to each other. */
import type { SeriesKey } from './types.ts';

/** What is wanted: `steps` steps of `stepMs` from `firstMs` on, which is a multiple of it. */
export interface PastSeries {
  readonly key: SeriesKey;
  readonly stepMs: number;
  readonly firstMs: number;
  readonly steps: number;
}

/** What was found. */
export interface CopiedSeries {
  /** In the file, in bytes. */
  readonly offset: number;
  /** The oldest step that is known; undefined when none is. */
  readonly knownFromMs: number | undefined;
  readonly known: number;
}

export interface CopyData {
  /** Where the history lies. */
  readonly folder: string;
  readonly file: string;
  readonly series: readonly PastSeries[];
}

export type CopyMessage =
  | { readonly kind: 'done'; readonly series: readonly CopiedSeries[] }
  | { readonly kind: 'failed'; readonly message: string };
