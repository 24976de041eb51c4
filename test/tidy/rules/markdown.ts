/** Reads tables and links out of Markdown, as far as our own documents use it. */

/** The text of one section: from its heading to the next of the same or a higher level. */
export function section(markdown: string, heading: string): string {
  const level = heading.length - heading.replace(/^#+/, '').length;
  const lines = markdown.split('\n');
  const start = lines.indexOf(heading);
  if (start === -1) throw new Error(`the document has no heading "${heading}"`);
  const rest = lines.slice(start + 1);
  const next = rest.findIndex((line) => /^#+ /.test(line) && line.search(/[^#]/) <= level);
  return rest.slice(0, next === -1 ? rest.length : next).join('\n');
}

/** Every table row of the text as trimmed cells, without headers, rules and backticks. */
export function tableRows(markdown: string): string[][] {
  const rows: string[][] = [];
  const lines = markdown.split('\n');
  for (const [index, line] of lines.entries()) {
    if (!line.startsWith('|') || isRule(line) || isRule(lines[index + 1] ?? '')) continue;
    rows.push(cells(line));
  }
  return rows;
}

function isRule(line: string): boolean {
  return /^\|[\s:|-]+$/.test(line);
}

function cells(line: string): string[] {
  return line
    .replace(/^\||\|\s*$/g, '')
    .split('|')
    .map((cell) => cell.replaceAll('`', '').trim());
}

/** A link to a file, to a heading of the same file, or both. */
export interface Link {
  /** Relative to the document; empty for the document itself. */
  readonly file: string;
  /** Without its `#`; empty for none. */
  readonly fragment: string;
}

/** Links and images that name files or headings. Code is left out. */
export function linksIn(markdown: string): Link[] {
  const prose = markdown.replace(/^```[\s\S]*?^```/gm, '').replace(/`[^`\n]*`/g, '');
  return [...prose.matchAll(/\]\(([^()\s]+)\)/g)]
    .map(([, target = '']) => target)
    .filter((target) => !/^[a-z][a-z+.-]*:/i.test(target))
    .map((target) => {
      const [file = '', fragment = ''] = target.split('#');
      return { file: decodeURI(file), fragment };
    });
}

/** Targets of links and images that name files, without their `#fragment`. */
export function fileLinks(markdown: string): string[] {
  return linksIn(markdown).flatMap(({ file }) => (file === '' ? [] : [file]));
}

/** Fragments by which the headings of a document are linked, as GitHub makes them. */
export function anchorsOf(markdown: string): string[] {
  const anchors: string[] = [];
  for (const [, heading = ''] of markdown
    .replace(/^```[\s\S]*?^```/gm, '')
    .matchAll(/^#+ (.+)$/gm)) {
    const text = heading.toLowerCase().replaceAll(/\]\([^)]*\)/g, '');
    const anchor = text
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .trim()
      .replaceAll(/\s/g, '-');
    const earlier = anchors.filter((other) => other.replace(/-\d+$/, '') === anchor).length;
    anchors.push(earlier === 0 ? anchor : `${anchor}-${earlier}`);
  }
  return anchors;
}
