/** What a command and the children that work for it say to each other. */

export interface ToChild<Job> {
  readonly id: number;
  readonly job: Job;
}

export type FromChild<Done> =
  | {
      readonly kind: 'progress';
      readonly id: number;
      readonly what: string;
      readonly done: number;
      readonly all: number;
    }
  | { readonly kind: 'done'; readonly id: number; readonly done: Done }
  | { readonly kind: 'failed'; readonly id: number; readonly message: string };
