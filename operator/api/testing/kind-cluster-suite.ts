/** The CRD of a kind on a real API server, held against the schema that it was made from. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { request } from '../../../e2e/api.ts';
import { makeNamespace, type Namespace, sharedCluster } from '../../../e2e/shared-cluster.ts';
import type { StructuralSchema } from '../generate/structural.ts';
import { badFields } from './bad-input.ts';
import { walk, withValue } from './paths.ts';
import { installCrd, judge, resourcePath, type Verdict } from './server.ts';
import { type BadInput, type RawObject, type Subject, specSchemaOf } from './subject.ts';

/** @param anySpec specs of which the server takes some and refuses some */
export function describeKindOnServer(subject: Subject, anySpec: fc.Arbitrary<Record<string, unknown>>): void {
  const { names, scope } = subject.definition;
  const cluster = sharedCluster();
  const specSchema = specSchemaOf(subject);
  let namespace: Namespace;

  beforeAll(async () => {
    await installCrd(cluster);
    namespace = await makeNamespace('kind');
  }, 60_000);
  afterAll(() => namespace.delete());

  const where = () => (scope === 'Cluster' ? undefined : namespace.name);
  const collection = () => resourcePath(where(), '', names);

  function askWhole(object: RawObject): Promise<Verdict> {
    const metadata = { ...object.metadata, ...(scope === 'Cluster' ? {} : { namespace: namespace.name }) };
    return judge(cluster, collection(), { ...object, metadata });
  }

  const ask = (spec: Record<string, unknown>) => askWhole(subject.object(spec));

  async function expectRefusal({ name, object, field }: BadInput): Promise<void> {
    const verdict = await askWhole(object);
    if (verdict.accepted) throw new Error(`${name}: accepted`);
    if (!verdict.message.includes(field))
      throw new Error(`${name}: ${field} is not named in ${verdict.message}`);
  }

  /** Our own judgement, in the server's form. */
  function ours(spec: Record<string, unknown>): Verdict {
    try {
      return {
        accepted: true,
        spec: subject.parse(subject.object(spec)).spec as Record<string, unknown>,
      };
    } catch (error) {
      return { accepted: false, message: String(error) };
    }
  }

  describe('the server’s defaults are ours', () => {
    test.each([
      ['minimal', subject.minimal] as const,
      ...subject.full.map((full, i) => [`full ${i}`, full] as const),
      ...Object.entries(subject.edges),
    ])('%s', async (_, spec) => {
      const verdict = await ask(spec);
      expect(verdict).toEqual(ours(spec));
      expect(verdict.accepted).toBe(true);
    });

    test('and so is its judgement, for any spec', async () => {
      const seen = { accepted: 0, refused: 0 };
      await fc.assert(
        fc.asyncProperty(anySpec, async (spec) => {
          const [theirs, mine] = [await ask(spec), ours(spec)];
          seen[theirs.accepted ? 'accepted' : 'refused'] += 1;
          if (theirs.accepted && mine.accepted) expect(mine.spec).toEqual(theirs.spec);
          else expect([theirs.accepted, theirs, mine]).toEqual([mine.accepted, theirs, mine]);
        }),
        { numRuns: 500 },
      );
      // both answers must have been tried, or the agreement says nothing
      expect(seen.accepted).toBeGreaterThan(50);
      expect(seen.refused).toBeGreaterThan(50);
    }, 60_000);
  });

  describe('each class of bad input is refused with the field’s name', () => {
    const byField = Map.groupBy(badFields(subject), ({ field }) => field);

    test.each([...byField])('%s', async (_, cases) => {
      await Promise.all(cases.map(expectRefusal));
    });
  });

  describe('each rule across fields is refused with the field’s name', () => {
    test.each(subject.brokenRules())('$name', expectRefusal);

    test('and each rule of the CRD was the reason of some refusal', async () => {
      const seen = new Set<string>();
      const outOfRange = badFields(subject).filter(({ name }) =>
        /: (zero|beyond int64|longer than any limit)$/.test(name),
      );
      const verdicts = await Promise.all(
        [...subject.brokenRules(), ...outOfRange].map(({ object }) => askWhole(object)),
      );
      for (const verdict of verdicts) {
        for (const { field, message } of (!verdict.accepted && verdict.causes) || []) {
          const text = message.replace(
            /^.*evaluating rule: |^Invalid value: ("[^"]*": )?|^(Required value|Forbidden): /,
            '',
          );
          seen.add(`${field.replaceAll(/\[\d+\]/g, '[]')}: ${text}`);
        }
      }
      expect([...rulesOf('spec', specSchema)].filter((rule) => !seen.has(rule))).toEqual([]);
    }, 30_000);
  });

  describe('an unknown field', () => {
    const objects = subject.full.flatMap((full) =>
      [...walk('spec', full, specSchema)]
        .filter(({ schema }) => schema.properties)
        .map(({ path }) => [path, full] as const),
    );

    test.each(objects)('in %s is refused by name', async (path, full) => {
      const verdict = await askWhole(withValue(subject.object(full), `${path}.replcas`, 3));
      expect(verdict).toMatchObject({
        accepted: false,
        message: expect.stringContaining(`${path}.replcas`),
      });
    });

    test('is dropped where the client does not ask for strictness', async () => {
      const object = subject.object({ ...subject.minimal, replcas: 3 }, 'loose', where());
      const path = `${collection()}?dryRun=All&fieldValidation=Ignore`;
      const stored = await request<RawObject>(cluster, 'POST', path, object);
      expect(stored.spec).not.toHaveProperty('replcas');
    });
  });
}

/** Each rule as the path that it blames and its message; not those about a change, which no creation breaks. */
function* rulesOf(path: string, schema: StructuralSchema): Generator<string> {
  for (const { fieldPath = '', message, rule } of schema['x-kubernetes-validations'] ?? []) {
    if (rule.includes('oldSelf')) continue;
    yield `${path}${fieldPath}: ${message}`;
  }
  if (schema.items) yield* rulesOf(`${path}[]`, schema.items);
  for (const [name, child] of Object.entries(schema.properties ?? {}))
    yield* rulesOf(`${path}.${name}`, child);
}
