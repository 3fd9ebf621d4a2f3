/**
 * What the forecast's errors have been like lately, as histograms of a quarter of a day each. Whole days are compared
 * with whole days, so a load whose noon is harder to forecast than its night does not drift every morning. Bounded:
 * a week of reference and the last day, 48 counts per block.
 */

export const BLOCK_MS = 6 * 3_600_000;
/** Blocks before the present one that make the recent day, and blocks before those that make the reference. */
const RECENT = 4;
const REFERENCE = 28;
const CELLS = 48;

export interface Block {
  /** Start of the block in units of BLOCK_MS. */
  readonly index: number;
  count: number;
  /** Sum of the bounded sizes of the errors. */
  sum: number;
  /** Counts over the signed bounded error in (-1, 1). */
  readonly cells: number[];
}

/** Several blocks together. */
export interface Part {
  readonly blocks: number;
  readonly count: number;
  readonly sum: number;
  readonly cells: number[];
}

/** Per block its index, its sum and then its cells as pairs of place and count: most cells are empty. */
export type ErrorBlocksState = readonly {
  readonly index: number;
  readonly sum: number;
  readonly cells: readonly (readonly [number, number])[];
}[];

/** An error of any size in (-1, 1): x / (1 + |x|). Half way at one width of the band; a spike counts once, not a thousand times. */
export function bounded(error: number): number {
  if (Math.abs(error) === Number.POSITIVE_INFINITY) return Math.sign(error);
  return error / (1 + Math.abs(error));
}

/** The error whose bounded size is `size`. */
export function unbounded(size: number): number {
  return size / (1 - size);
}

export class ErrorBlocks {
  /** Oldest first, the last one being filled. */
  #blocks: Block[] = [];
  /** Both parts added up, so that an error costs the same however long the past is. */
  #reference = emptyPart();
  #recent = emptyPart();

  /** @param error signed, in widths of the band */
  add(atMs: number, error: number): void {
    const index = Math.floor(atMs / BLOCK_MS);
    let block = this.#blocks.at(-1);
    if (block === undefined || index > block.index) {
      block = { index, count: 0, sum: 0, cells: emptyCells() };
      this.#blocks.push(block);
      this.#roll(index);
    }
    const value = bounded(error);
    const cell = Math.min(Math.floor(((value + 1) / 2) * CELLS), CELLS - 1);
    block.count++;
    block.sum += Math.abs(value);
    block.cells[cell] = (block.cells[cell] ?? 0) + 1;
    this.#recent.count++;
    this.#recent.sum += Math.abs(value);
    this.#recent.cells[cell] = (this.#recent.cells[cell] ?? 0) + 1;
  }

  /** All but the last day. */
  get reference(): Part {
    return this.#reference;
  }

  /** The last day and the block that is being filled. */
  get recent(): Part {
    return this.#recent;
  }

  /** Complete blocks before the present one, oldest first. */
  get past(): readonly Block[] {
    return this.#blocks.slice(0, -1);
  }

  toState(): ErrorBlocksState {
    return this.#blocks.map(({ index, sum, cells }) => ({
      index,
      sum: Math.round(sum * 1e4) / 1e4,
      cells: cells.flatMap((count, cell) => (count === 0 ? [] : [[cell, count] as const])),
    }));
  }

  static fromState(state: ErrorBlocksState): ErrorBlocks {
    const blocks = new ErrorBlocks();
    for (const { index, sum, cells: stored } of state.slice(-(RECENT + REFERENCE + 1))) {
      const cells = emptyCells();
      for (const [cell, count] of stored) if (cell < CELLS) cells[cell] = count;
      const count = cells.reduce((a, b) => a + b, 0);
      blocks.#blocks.push({ index, count, sum, cells });
    }
    blocks.#roll(blocks.#blocks.at(-1)?.index ?? 0);
    return blocks;
  }

  /** Lets go of what is too old and counts both parts anew: once per block, not per error. */
  #roll(newest: number): void {
    this.#blocks = this.#blocks.filter(({ index }) => index >= newest - RECENT - REFERENCE);
    this.#reference = addedUp(this.#blocks.filter(({ index }) => index < newest - RECENT));
    this.#recent = addedUp(this.#blocks.filter(({ index }) => index >= newest - RECENT));
  }
}

/** Mean bounded size of the errors; undefined when there are none. */
export function meanSize({ count, sum }: Pick<Part, 'count' | 'sum'>): number | undefined {
  return count === 0 ? undefined : sum / count;
}

function emptyCells(): number[] {
  return Array.from({ length: CELLS }, () => 0);
}

function emptyPart(): { -readonly [K in keyof Part]: Part[K] } {
  return { blocks: 0, count: 0, sum: 0, cells: emptyCells() };
}

function addedUp(blocks: readonly Block[]): ReturnType<typeof emptyPart> {
  const part = emptyPart();
  part.blocks = blocks.length;
  for (const { count, sum, cells } of blocks) {
    part.count += count;
    part.sum += sum;
    for (let cell = 0; cell < CELLS; cell++) part.cells[cell] = (part.cells[cell] ?? 0) + (cells[cell] ?? 0);
  }
  return part;
}
