/** Removes the code fence that chat models put around a whole Markdown document. */

const opening = /^(`{3,}|~{3,})[^\S\n]{0,8}(markdown|md|)$/i;
const closing = /^(`{3,}|~{3,})$/;
const fenceLine = /^ {0,3}(`{3,}|~{3,})([^\n`]*)$/;

/** The text without a fence around all of it; a lone code block keeps its fence. */
export function withoutFence(text: string): string {
  const lines = text.trim().split('\n');
  const [, open = '', info = ''] = opening.exec(lines[0]?.trim() ?? '') ?? [];
  const [, close = ''] = closing.exec(lines.at(-1)?.trim() ?? '') ?? [];
  if (lines.length < 2 || open === '' || !closes(close, open)) return text;
  const body = lines.slice(1, -1);
  return isOneDocument(body, { open, mayNest: info !== '' }) ? body.join('\n') : text;
}

/** False when a fence line inside closes the outer one, so that text lies between two fences. */
function isOneDocument(
  body: readonly string[],
  { open, mayNest }: { readonly open: string; readonly mayNest: boolean },
): boolean {
  let inner: string | null = null;
  for (const line of body) {
    const [, marks = '', info = ''] = fenceLine.exec(line) ?? [];
    if (marks === '') continue;
    const isBare = info.trim() === '';
    if (inner === null) {
      if (isBare && !mayNest && closes(marks, open)) return false;
      inner = marks;
    } else if (isBare) {
      if (closes(marks, inner)) inner = null;
    } else if (closes(marks, open)) {
      return false;
    }
  }
  return inner === null;
}

function closes(marks: string, opened: string): boolean {
  return marks[0] === opened[0] && marks.length >= opened.length;
}
