/**
 * Exit codes that trainer and gate promise, as sysexits.h has them; 79 is ours. The trainer's side are the `exit_code` of
 * its errors, which models/tests/test_exit_codes.py holds to these.
 */
export const TRAINING_EXIT = {
  /** Nothing helps but another configuration. */
  config: 78,
  /** The database of a search is away, and was waited for. */
  away: 69,
  /** Asked to stop, and where it was is kept. */
  stopped: 75,
  /** A newer attempt has begun. */
  fenced: 79,
  /** A volume has no room. */
  full: 74,
} as const;
