/** The fence that chat models like to put around a whole document of Markdown. */

const outer =
  /^\s*(?<open>`{3,}|~{3,})[^\S\n]*(?<info>markdown|md|)[^\S\n]*\r?\n(?<body>[^]*?)(?:\r?\n)?[^\S\n]*(?<close>`{3,}|~{3,})\s*$/i;
const fenceLine = /^ {0,3}(`{3,}|~{3,})[^\S\n]*([^\n`]*?)\s*$/;

/** The text without a fence around all of it; a code block that stands alone keeps its fence. */
export function withoutFence(text: string): string {
  const { open = '', info = '', body = '', close = '' } = outer.exec(text)?.groups ?? {};
  if (open === '' || !closes(close, open)) return text;
  return isOneDocument(body, { open, mayNest: info !== '' }) ? body : text;
}

/** False when a fence line inside closes the outer one, so that text stands between two fences. */
function isOneDocument(
  body: string,
  { open, mayNest }: { readonly open: string; readonly mayNest: boolean },
): boolean {
  let inner: string | null = null;
  for (const line of body.split('\n')) {
    const [, marks = '', info = ''] = fenceLine.exec(line) ?? [];
    if (marks === '') continue;
    if (inner === null) {
      if (info === '' && !mayNest && closes(marks, open)) return false;
      inner = marks;
    } else if (info === '') {
      if (closes(marks, inner)) inner = null;
    } else if (closes(marks, open)) {
      return false;
    }
  }
  return inner === null;
}

function closes(marks: string, opening: string): boolean {
  return marks[0] === opening[0] && marks.length >= opening.length;
}
