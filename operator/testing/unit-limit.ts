/** The limit of each unit test: a hang ends, and a busy machine is no failure. Jest reads no `testTimeout` per project. */
import { jest } from '@jest/globals';

jest.setTimeout(300_000);
