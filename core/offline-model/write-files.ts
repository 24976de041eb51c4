/**
 * Files for a brief, made of the brief's own words: those that it names, each with the brief as its
 * content, valid for its kind and marked as written by no model.
 */

import { type FillSource, type Schema, slugOf, titleOf } from './fill-string.ts';
import { offlineNotice } from './notice.ts';

interface File {
  readonly path: string;
  readonly content: string;
}

/** Whether a schema asks for files: an object with a list `files` of `path` and `content`. */
export function wantsFiles(schema: unknown): boolean {
  const properties = (schema as { properties?: Schema } | null)?.properties;
  const files = properties?.['files'] as { items?: { properties?: Schema } } | undefined;
  const item = files?.items?.properties;
  return item !== undefined && 'path' in item && 'content' in item;
}

const filesMaxDefault = 10;
const namePattern = /(?<![\w/.@:-])(?:[\w-]+\/)*[\w-][\w.-]*\.([a-z][a-z0-9]{0,7})(?![\w/@-])/giu;

/** Names of products in the form of names of files. */
const productName = /^(?:node|deno|vue|next|nuxt|react|express|three|d3)\.js$/i;

/** @param instructions the system prompt, which may limit the number of files */
export function filesFor(brief: FillSource, instructions: string): { files: File[] } {
  const filesMax = Number(/at most (\d{1,3}) files?\b/i.exec(instructions)?.[1] ?? filesMaxDefault);
  const named = new Map<string, string>();
  for (const [path] of brief.text.matchAll(namePattern)) {
    const isFile = writerOf(path) !== undefined && !productName.test(path);
    if (isFile && !named.has(path.toLowerCase())) named.set(path.toLowerCase(), path);
  }
  const paths = [...named.values()].slice(0, Math.max(1, filesMax));
  const wanted = paths.length > 0 ? paths : [`${slugOf(brief.text) || 'text'}.md`];
  return {
    files: wanted.map((path) => ({ path, content: writerOf(path)?.(brief) ?? brief.text })),
  };
}

type Writer = (brief: FillSource) => string;

const markdown: Writer = ({ text }) =>
  `# ${titleOf(text)}\n\n${text}\n\n<!-- ${offlineNotice} -->\n`;
const html: Writer = ({ text }) => {
  const escaped = text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  return `<!doctype html>\n<meta charset="utf-8">\n<!-- ${offlineNotice} -->\n<p>${escaped}</p>\n`;
};
const json: Writer = ({ text, keywords }) =>
  `${JSON.stringify({ note: offlineNotice, brief: text, keywords }, null, 2)}\n`;
const csv: Writer = ({ text }) => {
  const rows = [
    ['name', 'value'],
    ['made by', offlineNotice],
    ['brief', text],
  ];
  return rows.map((row) => `${row.map(cell).join(',')}\n`).join('');
};
function cell(value: string): string {
  return `"${value.replaceAll('"', '""')}"`;
}

/** A file of nothing but comments: the notice, then the brief. */
const comments =
  (mark: string): Writer =>
  ({ text }) =>
    `${mark} ${offlineNotice}\n${mark} ${text}\n`;

/** By extension. JSON is YAML too. */
const writers: { readonly [extension: string]: Writer } = {
  md: markdown,
  markdown,
  txt: markdown,
  html,
  htm: html,
  json,
  yaml: json,
  yml: json,
  csv,
  js: comments('//'),
  mjs: comments('//'),
  ts: comments('//'),
  py: comments('#'),
  sh: comments('#'),
  toml: comments('#'),
};

function writerOf(path: string): Writer | undefined {
  const extension = path.slice(path.lastIndexOf('.') + 1).toLowerCase();
  return Object.hasOwn(writers, extension) ? writers[extension] : undefined;
}
