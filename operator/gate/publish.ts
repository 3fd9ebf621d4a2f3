/**
 * Puts a version that passed into its store, in a folder named after its digest. The registry's index is another
 * matter: the operator writes it, last, so that nobody finds a version whose files are not all there.
 */
import { createHash } from 'node:crypto';
import { type PutFile, type PutOptions, putArtifacts } from '../artifacts/put.ts';
import { parseArtifactUri } from '../artifacts/uri.ts';
import type { Published } from './report.ts';

export interface VersionFiles {
  readonly model: Uint8Array;
  readonly lineage: Uint8Array;
  readonly scores: Uint8Array;
  /** What there is beside the model. */
  readonly golden: Uint8Array | undefined;
  readonly card: Uint8Array | undefined;
}

/**
 * Of each file, about half an hour: a store that is away for a while must not cost a model that took hours, nor have it
 * judged anew.
 */
const PATIENCE = { most: 66, maxMs: 30_000 };

/**
 * @param folder a URI of s3, gs, pvc or file, or an absolute path
 * @throws ARTIFACT_EXISTS when another model, or golden vectors of another one, lie where this version's belong; ARTIFACT_*
 */
export async function publishVersion(
  folder: string,
  files: VersionFiles,
  options: PutOptions,
  signal: AbortSignal,
): Promise<Published> {
  const sha256 = digestOf(files.model);
  const base = `${uriOf(folder)}/${sha256.slice(0, 12)}`;
  const file = (name: string, content: Uint8Array | undefined, keepsFirst = false): PutFile[] =>
    content === undefined ? [] : [{ uri: parseArtifactUri(`${base}/${name}`), content, keepsFirst }];
  await putArtifacts(
    [
      // Notes are dated: whoever trains or judges the same file again words them anew. What came first stays, or a
      // publisher that a store has stopped half-way could never be followed by another one.
      ...file('card.md', files.card, true),
      ...file('scores.json', files.scores, true),
      ...file('lineage.json', files.lineage, true),
      ...file('golden.json', files.golden),
      // Last: where it is, all of them are.
      ...file('model.onnx', files.model),
    ],
    { ...options, retries: { ...PATIENCE, ...options.retries } },
    signal,
  );
  return {
    storageUri: `${base}/model.onnx`,
    sha256,
    lineageUri: `${base}/lineage.json`,
  };
}

function uriOf(folder: string): string {
  const bare = folder.replace(/\/+$/, '');
  return bare.startsWith('/') ? `file://${bare}` : bare;
}

function digestOf(content: Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}
