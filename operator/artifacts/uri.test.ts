import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { URI_SCHEMES } from '../api/modeldeployment/model.ts';
import { isForesailError } from '../errors.ts';
import { parseArtifactUri } from './uri.ts';

describe('a URI', () => {
  test.each([
    ['', /scheme/],
    ['model.onnx', /scheme/],
    ['ftp://host/file', /scheme/],
    ['s3://bucket', /s3:\/\/<bucket>/],
    ['s3://bucket/folder/', /s3:\/\/<bucket>/],
    ['gs://Bucket/key', /gs:\/\/<bucket>/],
    ['oci://registry.example', /oci:\/\/<registry>/],
    ['oci://registry.example/Upper/case', /oci:\/\/<registry>/],
    ['oci://registry.example/models@sha256:1234', /oci:\/\/<registry>/],
    ['oci://registry.example/models/../other', /oci:\/\/<registry>/],
    ['hf://organisation/repository', /hf:\/\/<organisation>/],
    ['hf://organisation/repository@main/../../other', /leads out of/],
    ['https://user:pass@host/file', /credentials/],
    ['https://', /not a URL/],
    ['pvc://../secret', /pvc:\/\/<claim>\/<path>/],
    ['pvc://./secret', /pvc:\/\/<claim>\/<path>/],
    ['pvc://claim', /pvc:\/\/<claim>\/<path>/],
    ['pvc://claim/../other', /leads out of/],
    ['pvc://claim/a/../../other', /leads out of/],
    ['pvc://claim//etc/passwd', /leads out of/],
    ['file://host/path', /file:\/\/\/<path>/],
  ])('%s is refused', (text, why) => {
    expect(() => parseArtifactUri(text)).toThrow(why);
  });

  test.each(['https://user:geheim@host/file', 'ftp://host/file?signature=geheim', 'https://:geheim@'])(
    '%s: its secrets are not repeated',
    (text) => {
      const refused = (): unknown => parseArtifactUri(text);
      expect(refused).toThrow();
      expect(refused).not.toThrow('geheim');
    },
  );

  test.each<[string, object]>([
    ['s3://bucket/a/b.onnx', { scheme: 's3', bucket: 'bucket', key: 'a/b.onnx' }],
    ['gs://my_bucket/b', { scheme: 'gs', bucket: 'my_bucket', key: 'b' }],
    ['oci://r.example:5000/a/b', { scheme: 'oci', host: 'r.example:5000', repository: 'a/b', tag: 'latest' }],
    ['oci://r/a:v1.0', { scheme: 'oci', host: 'r', repository: 'a', tag: 'v1.0' }],
    [
      `oci://r/a:v1@sha256:${'0'.repeat(64)}`,
      { scheme: 'oci', host: 'r', repository: 'a', tag: 'v1', digest: `sha256:${'0'.repeat(64)}` },
    ],
    ['hf://o/r/a/b.onnx', { scheme: 'hf', repository: 'o/r', revision: 'main', path: 'a/b.onnx' }],
    ['hf://o/r.v2@refs-1/b', { scheme: 'hf', repository: 'o/r.v2', revision: 'refs-1', path: 'b' }],
  ])('%s', (text, parts) => {
    expect(parseArtifactUri(text)).toEqual(parts);
  });

  test('whatever it is, it is taken apart or refused, and no path leaves where it begins', () => {
    const rest = fc.oneof(
      fc.string({ maxLength: 300 }),
      fc
        .array(fc.constantFrom('a', '..', '.', '/', '//', ':', '@', '-', '%2e', ' '), { maxLength: 30 })
        .map((parts) => parts.join('')),
    );
    fc.assert(
      fc.property(fc.constantFrom(...URI_SCHEMES, 'http', 'x'), rest, (scheme, text) => {
        try {
          const uri = parseArtifactUri(`${scheme}://${text}`);
          if ('path' in uri && uri.scheme !== 'file') expect(uri.path).not.toMatch(/^\/|^\.\.(\/|$)/);
        } catch (error) {
          expect(isForesailError(error, 'ARTIFACT_URI_INVALID')).toBe(true);
        }
      }),
      { numRuns: 2_000 },
    );
  });
});
