/** What a plan for the load is measured against: what the load meets, and the peaks that it makes. */
/** What the load meets; all of one metric. */
export interface ServiceTerms {
  readonly objective: 'Availability' | 'Efficiency';
  /** Load that one replica carries, in the load's unit. */
  readonly capacity: number;
  /** Load per replica that the reactive rule aims at. */
  readonly reactiveTarget: number;
  /** Steps from a load that has just been read to the first one that replicas ordered on it serve whole. */
  readonly readySteps: number;
  /** Steps that the highest recommendation is held before scaling down. */
  readonly holdSteps: number;
}

/** Highest load of the steps that replicas ordered now serve (`ready`), and of those before (`near`). */
export interface Peaks {
  readonly near: number;
  readonly ready: number;
}
