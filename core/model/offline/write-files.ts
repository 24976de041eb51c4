/**
 * Files for a brief, made of the brief's own words: the names that it mentions, each with what it
 * says, valid for its kind, and each says that no model wrote it. Makes nothing up.
 */

import { offlineNotice } from './contract.ts';
import { type FillSource, type Schema, slugOf, titleOf } from './fill-string.ts';

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

/** Names of things that look like names of files. */
const noFile = /^(?:node|deno|vue|next|nuxt|react|express|three|d3)\.js$/i;

/** @param instructions the system prompt, which may limit the number of files */
export function filesFor(brief: FillSource, instructions: string): { files: File[] } {
  const most = Number(/at most (\d{1,3}) files?\b/i.exec(instructions)?.[1] ?? filesMaxDefault);
  const named = new Map<string, string>();
  for (const [path] of brief.text.matchAll(namePattern)) {
    const kind = kindOf(path);
    if (kind !== null && !noFile.test(path) && !named.has(path.toLowerCase()))
      named.set(path.toLowerCase(), path);
  }
  const paths = [...named.values()].slice(0, Math.max(1, most));
  const wanted = paths.length > 0 ? paths : [`${slugOf(brief.text) || 'text'}.md`];
  return { files: wanted.map((path) => ({ path, content: contentOf(path, brief) })) };
}

/** How each kind of file says what the brief says. */
const kinds: { readonly [extension: string]: (brief: FillSource) => string } = {
  md: ({ text }) => `# ${titleOf(text)}\n\n${text}\n\n<!-- ${offlineNotice} -->\n`,
  html: ({ text }) => {
    const escaped = text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
    const head = '<!doctype html>\n<meta charset="utf-8">\n';
    return `${head}<!-- ${offlineNotice} -->\n<p>${escaped}</p>\n`;
  },
  txt: ({ text }) => `${text}\n\n(${offlineNotice})\n`,
  json: (brief) => `${JSON.stringify(dataOf(brief), null, 2)}\n`,
  yaml: (brief) => {
    // JSON is YAML.
    const lines = Object.entries(dataOf(brief)).map(
      ([key, value]) => `${key}: ${JSON.stringify(value)}`,
    );
    return `# ${offlineNotice}\n${lines.join('\n')}\n`;
  },
  toml: ({ text }) => `# ${offlineNotice}\nbrief = ${JSON.stringify(text)}\n`,
  csv: ({ text, keywords }) => {
    const rows = [
      ['made by', offlineNotice],
      ['brief', text],
      ...keywords.map((word) => ['word', word]),
    ];
    return ['name,value', ...rows.map(([name, value]) => `${cell(name)},${cell(value)}`), ''].join(
      '\n',
    );
  },
  js: ({ text }) => `// ${offlineNotice}\nexport const brief = ${JSON.stringify(text)};\n`,
  py: ({ text }) => `# ${offlineNotice}\nbrief = ${JSON.stringify(text)}\n`,
  sh: ({ text }) => `#!/bin/sh\n# ${offlineNotice}\n# ${text}\n`,
};
const sameKind: { readonly [extension: string]: string } = {
  markdown: 'md',
  htm: 'html',
  yml: 'yaml',
  mjs: 'js',
  ts: 'js',
};

function kindOf(path: string): ((brief: FillSource) => string) | null {
  const extension = path.slice(path.lastIndexOf('.') + 1).toLowerCase();
  const kind = sameKind[extension] ?? extension;
  return Object.hasOwn(kinds, kind) ? (kinds[kind] ?? null) : null;
}

function contentOf(path: string, brief: FillSource): string {
  return (kindOf(path) ?? kinds['txt'])?.(brief) ?? brief.text;
}

function cell(value = ''): string {
  return `"${value.replaceAll('"', '""')}"`;
}

function dataOf({ text, keywords }: FillSource): object {
  return { note: offlineNotice, brief: text, keywords };
}
