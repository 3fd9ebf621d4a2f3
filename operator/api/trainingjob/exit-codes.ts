/** Exit codes that trainer and gate promise, as sysexits.h has them; 79 is ours. */
export const TRAINING_EXIT = {
  /** Nothing helps but another configuration. */
  config: 78,
  /** Asked to stop, and where it was is kept. */
  stopped: 75,
  /** A newer attempt has begun. */
  fenced: 79,
  /** A volume has no room. */
  full: 74,
} as const;
