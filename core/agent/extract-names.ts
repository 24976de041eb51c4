/**
 * How an extract is told from an answer by its files alone. What people read as text says so inside;
 * anything else says so in its name, because a label would break it or nobody would see it.
 */

import type { RenderedFile } from './agent.ts';

const readAsText = /(?:^|\/)[^/.]+$|\.(?:md|markdown|txt)$/i;

/** `a/b.json` as `a/b.offline.json`; a name that is read as text stays. */
export function extractName(path: string): string {
  return readAsText.test(path) ? path : path.replace(/(?:\.[^./]*)?$/, '.offline$&');
}

/** `a/site` as `a/site.offline`. */
export function extractFolder(path: string): string {
  return `${path}.offline`;
}

/** The file with the notice inside, where its name does not say it. */
export function withNotice({ path, content }: RenderedFile, notice: string): RenderedFile {
  if (!readAsText.test(path) || content.includes(notice)) return { path, content };
  return { path, content: `${content}\n<!-- ${notice} -->\n` };
}
