// Jest runs the same sources as Node does: types are stripped, nothing else changes,
// so there is no second compiler whose opinion could differ.
import { createHash } from 'node:crypto';
import { stripTypeScriptTypes } from 'node:module';

export default {
  process(source, filename) {
    return { code: stripTypeScriptTypes(source, { mode: 'strip', sourceUrl: filename }) };
  },
  getCacheKey(source, filename) {
    return createHash('sha256').update(process.version).update(filename).update(source).digest('hex');
  },
};
