/** jest globalTeardown */
export { stopSharedCluster as default } from './shared-cluster.ts';
