/** What must hold of every kind as we read it, without a server. */
import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { type ForesailError, isForesailError } from '../../errors.ts';
import { badFields } from './bad-input.ts';
import { schemaPaths, walk, withValue } from './paths.ts';
import { hasStatus, type Subject, specSchemaOf } from './subject.ts';

/** The error with which the object is refused; fails when it is not. */
export function refusal(subject: Subject, object: unknown): ForesailError {
  try {
    subject.parse(object);
  } catch (error) {
    if (isForesailError(error, 'SPEC_INVALID')) return error;
    throw error;
  }
  throw new Error('it was accepted');
}

export function describeKind(subject: Subject): void {
  const spec = specSchemaOf(subject);
  const full = subject.full.map((each) => ({
    object: subject.object(each),
    paths: [...walk('spec', each, spec)].map(({ path }) => path),
  }));

  describe('a valid object', () => {
    test.each(subject.full)('with fields set comes back as it was', (each) => {
      expect(subject.parse(subject.object(each)).spec).toEqual(each);
    });

    test('keeps the metadata that we know nothing of', () => {
      const owners = [{ kind: 'App' }];
      const object = withValue(subject.object(subject.minimal), 'metadata.ownerReferences', owners);
      expect(subject.parse(object)).toMatchObject({ metadata: { ownerReferences: owners } });
    });

    if (!hasStatus(subject)) return;

    test('loses a status that cannot be read, and nothing else', () => {
      const object = { ...subject.object(subject.minimal), status: { conditions: 'many' } };
      const parsed = subject.parse(object);
      expect(parsed.status).toBeUndefined();
      expect(parsed.spec).toMatchObject(subject.minimal);
    });

    test('keeps a status that can', () => {
      const status = { observedGeneration: 3 };
      expect(subject.parse({ ...subject.object(subject.minimal), status }).status).toEqual(status);
    });
  });

  describe('a bad field is refused with its path', () => {
    test.each(badFields(subject))('$name', ({ object, field }) => {
      const error = refusal(subject, object);
      expect(error.subject).toContain(field);
      expect(error.message).toContain(field);
      expect(error.retry).toBe('terminal');
      expect(error.message.length).toBeLessThan(1000); // what the field held is not repeated
    });
  });

  describe('a broken rule is refused with the field that breaks it', () => {
    test.each(subject.brokenRules())('$name', ({ object, field }) => {
      expect(refusal(subject, object).message).toContain(field);
    });
  });

  describe('what is no object at all', () => {
    test.each([undefined, null, 7, 'text', [], {}, { apiVersion: 'v1', kind: 'Pod' }])('%j', (object) => {
      expect(isForesailError(refusal(subject, object), 'SPEC_INVALID')).toBe(true);
    });

    test('anything that JSON can say is read or refused, never a crash', () => {
      const json = fc.jsonValue({ maxDepth: 4 });
      const spoilt = fc
        .constantFrom(...full)
        .chain(({ object, paths }) =>
          fc.tuple(fc.constantFrom(...paths), json).map(([path, value]) => withValue(object, path, value)),
        );
      fc.assert(
        fc.property(fc.oneof(json, spoilt), (object) => {
          try {
            subject.parse(object);
          } catch (error) {
            if (!isForesailError(error, 'SPEC_INVALID')) throw error;
          }
        }),
        { numRuns: 500 },
      );
    });
  });

  describe('the tests themselves', () => {
    test('the full objects set every field of the spec', () => {
      const set = new Set(
        full.flatMap(({ paths }) => paths.map((path) => path.replaceAll(/\[\d+\]/g, '[]'))),
      );
      expect([...schemaPaths('spec', spec)].filter((path) => !set.has(path))).toEqual([]);
    });
  });
}
