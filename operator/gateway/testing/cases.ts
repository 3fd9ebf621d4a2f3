/**
 * What a split of traffic has to do, whoever does it: the cases of the Gateway API's conformance tests HTTPRouteWeight,
 * HTTPRouteRequestMirror, HTTPRouteRequestMultipleMirrors and HTTPRouteRequestPercentageMirror, in terms of versions.
 */
import type { VersionShare } from '../weights.ts';

export interface SplitCase {
  readonly name: string;
  readonly shares: readonly VersionShare[];
  /** Versions whose Service does not exist. */
  readonly missing?: readonly number[];
  /** Versions without a ready pod. */
  readonly unready?: readonly number[];
  /** Share of the requests that each version answers; the rest gets an error. */
  readonly answers: Readonly<Record<number, number>>;
  /** Where the router does more than is asked: stable, version 1, answers for a version that cannot. */
  readonly withStable?: Readonly<Record<number, number>>;
  /** Share of the requests of which each version gets a copy. */
  readonly copies?: Readonly<Record<number, number>>;
}

const share = (version: number, weight: number, mirrorPercent = 0): VersionShare => ({
  version,
  weight,
  mirrorPercent,
});

export const SPLIT_CASES: readonly SplitCase[] = [
  { name: 'one version', shares: [share(1, 100)], answers: { 1: 1 } },
  { name: 'unequal weights', shares: [share(1, 70), share(2, 30)], answers: { 1: 0.7, 2: 0.3 } },
  { name: 'a weight of 0', shares: [share(1, 100), share(2, 0)], answers: { 1: 1 } },
  {
    name: 'weights are proportions: a sum that is not 100',
    shares: [share(1, 7), share(2, 2), share(3, 1)],
    answers: { 1: 0.7, 2: 0.2, 3: 0.1 },
  },
  {
    name: 'a backend that does not exist keeps its share as an error',
    shares: [share(1, 50), share(2, 50)],
    missing: [2],
    answers: { 1: 0.5 },
    withStable: { 1: 1 },
  },
  {
    name: 'a backend without a ready pod keeps its share as an error',
    shares: [share(1, 80), share(2, 20)],
    unready: [2],
    answers: { 1: 0.8 },
    withStable: { 1: 1 },
  },
  { name: 'nobody is ready', shares: [share(1, 80), share(2, 20)], unready: [1, 2], answers: {} },
  { name: 'a mirror', shares: [share(1, 100), share(2, 0, 100)], answers: { 1: 1 }, copies: { 2: 1 } },
  {
    name: 'several mirrors',
    shares: [share(1, 100), share(2, 0, 100), share(3, 0, 100)],
    answers: { 1: 1 },
    copies: { 2: 1, 3: 1 },
  },
  {
    name: 'a mirror of a percentage',
    shares: [share(1, 100), share(2, 0, 20), share(3, 0, 50)],
    answers: { 1: 1 },
    copies: { 2: 0.2, 3: 0.5 },
  },
  {
    name: 'a mirror without a ready pod costs nobody an answer',
    shares: [share(1, 100), share(2, 0, 100)],
    unready: [2],
    answers: { 1: 1 },
  },
  {
    name: 'a mirror beside weights',
    shares: [share(1, 60), share(2, 40), share(3, 0, 50)],
    answers: { 1: 0.6, 2: 0.4 },
    copies: { 3: 0.5 },
  },
];
