/** A file at a store as the rest of this room sees it, whatever the store speaks. */

export interface Remote {
  /** Opens the file at its byte `from`, or at its beginning where the store cannot: `start` says which. */
  open(from: number, signal: AbortSignal): Promise<Part>;
}

export interface Part {
  readonly start: number;
  /** Bytes of the whole file, where the store says it. */
  readonly size?: number;
  readonly pieces: AsyncIterable<Uint8Array>;
}

/** A file that something must be asked about first: a token, a manifest. What was learnt serves every later opening. */
export function remoteAfter(prepare: (signal: AbortSignal) => Promise<Remote>): Remote {
  let ready: Remote | undefined;
  return {
    async open(from, signal) {
      ready ??= await prepare(signal);
      return ready.open(from, signal);
    },
  };
}
