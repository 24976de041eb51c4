/** One knowledge base for each set of patterns and folder, shared by all jobs of a thread. */

import type { KnowledgeBase } from './base.ts';
import { type FileList, listFiles, type Patterns, readListed } from './files.ts';
import { textOf } from './left-out.ts';
import { createIndex, type SearchIndex } from './search-index.ts';

/** In order of last use. Beyond this number the one used longest ago is let go. */
const opened = new Map<string, KnowledgeBase>();
const openedMax = 2;

/** @param baseDir absolute folder that the patterns are relative to */
export function openKnowledge(patterns: Patterns, baseDir: string): KnowledgeBase {
  const key = JSON.stringify([baseDir, patterns]);
  const known = opened.get(key) ?? createKnowledge(patterns, baseDir);
  opened.delete(key);
  opened.set(key, known);
  const [oldest] = opened.keys();
  if (opened.size > openedMax && oldest !== undefined) opened.delete(oldest);
  return known;
}

function createKnowledge(patterns: Patterns, baseDir: string): KnowledgeBase {
  let index: Promise<SearchIndex> | null = null;
  /** Searches take turns in bringing the index up to date. */
  let turn: Promise<unknown> = Promise.resolve();
  let listing: Promise<FileList> | null = null;
  /** Readers that come at the same time, such as the citations of one answer, share one listing. */
  const list = (): Promise<FileList> => {
    listing ??= listFiles(patterns, baseDir).finally(() => {
      listing = null;
    });
    return listing;
  };
  return {
    paths: async () => (await list()).files.map(({ path }) => path),
    async read(path) {
      const { files } = await list();
      if (!files.some((file) => file.path === path)) return null;
      const bytes = await readListed(baseDir, path);
      return bytes === null ? null : textOf(bytes);
    },
    search(query, limit) {
      const run = async (): ReturnType<KnowledgeBase['search']> => {
        const found = await list();
        const searchable = await (index ??= createIndex(baseDir));
        const leftOut = await searchable.update(found);
        return {
          passages: searchable.search(query, limit),
          files: found.files.length - leftOut.length,
          leftOut: [...found.leftOut, ...leftOut],
        };
      };
      const result = turn.then(run);
      turn = result.catch(() => null);
      return result;
    },
  };
}
