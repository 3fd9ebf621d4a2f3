// Two projects: `unit` is pure and needs nothing; `cluster` runs against a real API server
// that e2e/shared-cluster.ts starts once for all its files.

const common = {
  extensionsToTreatAsEsm: ['.ts'],
  transform: { '\\.ts$': '<rootDir>/tools/jest/transform.js' },
  testEnvironment: '<rootDir>/tools/jest/environment.js',
  moduleFileExtensions: ['ts', 'js', 'mjs', 'cjs', 'json', 'node'],
  roots: ['<rootDir>/operator', '<rootDir>/e2e', '<rootDir>/tools'],
};

export default {
  // Hangs are what a limit is for; a busy machine is no failure. Unit tests have a limit of their own.
  testTimeout: 60_000,
  projects: [
    {
      ...common,
      displayName: 'unit',
      setupFilesAfterEnv: ['<rootDir>/operator/testing/unit-limit.ts'],
      testMatch: ['**/*.test.ts'],
      testPathIgnorePatterns: ['/node_modules/', '\\.cluster\\.test\\.ts$'],
    },
    {
      ...common,
      displayName: 'cluster',
      testMatch: ['**/*.cluster.test.ts'],
      globalSetup: '<rootDir>/e2e/shared-cluster.ts',
      globalTeardown: '<rootDir>/e2e/shared-cluster-teardown.ts',
    },
  ],
};
