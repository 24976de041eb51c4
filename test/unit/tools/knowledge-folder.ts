/** Folders of files to look into, for tests of search and reading. */

import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';
import { type KnowledgeBase, openKnowledge } from '../../../core/tools/index.ts';

/** Writes files below a new folder that goes when the test ends. */
export function folderWith(files: { readonly [path: string]: string | Buffer }): string {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'aiq-knowledge-')));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  for (const [path, content] of Object.entries(files)) put(root, path, content);
  return root;
}

export function put(root: string, path: string, content: string | Buffer): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), content);
}

/** The files of a folder under one pattern. */
export function knowledgeOf(
  root: string,
  include = ['**/*'],
  exclude: string[] = [],
): KnowledgeBase {
  return openKnowledge([{ include, exclude, chunkSize: 400 }], root);
}
