/** Names and labels of what belongs to a run: the controller writes them; admission, network policies and users read them. */
export const TRAINING_LABELS = {
  /** Name of the TrainingJob, on all that it owns. */
  job: 'foresail.io/training-job',
  /** Number of the attempt, on its Job and pods. */
  attempt: 'foresail.io/training-attempt',
  /** `search`, `train` or `gate`. */
  stage: 'foresail.io/training-stage',
} as const;

export const TRAINING_ANNOTATIONS = {
  /** Hex sha256 of the attempt's token, on its Job; the token itself is in a Secret that nobody but the pods reads. */
  tokenSha256: 'foresail.io/token-sha256',
  /** What started the run, on a TrainingJob that another one made. */
  cause: 'foresail.io/training-cause',
} as const;

/** Reason of `Progressing` where nothing is trained, whatever a TrainingJob asks for. */
export const TRAINING_DISABLED = 'TrainingDisabled';

/** Kueue's label for the queue of a Job. */
export const QUEUE_LABEL = 'kueue.x-k8s.io/queue-name';

/** Where the pods find what the operator gives them. */
export const TRAINING_PATHS = {
  config: '/etc/foresail/train.json',
  token: '/var/run/foresail/token',
  authorities: '/var/run/foresail/ca.crt',
  work: '/work',
} as const;
