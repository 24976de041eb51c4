/**
 * Removes the reasoning block in front of an answer, where the server did not separate it. Templates of some models open it in the prompt, so that only its
 * closing tag arrives.
 */

import { isJson } from './find-json.ts';

const openings: readonly (readonly [RegExp, RegExp])[] = [
  [
    /^\s*<(think|thinking|thought|thoughts|reasoning)\b[^>]*>/i,
    /<\/(?:think|thinking|thought|thoughts|reasoning)>/i,
  ],
  [/^\s*\[THINK\]/, /\[\/THINK\]/],
  [/^\s*◁think▷/, /◁\/think▷/],
  [/^\s*(?:<\|start\|>assistant)?<\|channel\|>analysis/, /<\|channel\|>final<\|message\|>/],
];
const loneClosing = /<\/think(?:ing)?>|\[\/THINK\]|◁\/think▷/i;

/** The answer without its reasoning block; empty when the block never ends. */
export function withoutReasoning(text: string): string {
  for (const [opening, closing] of openings) {
    const opened = opening.exec(text);
    if (opened === null) continue;
    const closed = closing.exec(text.slice(opened[0].length));
    if (closed === null) return '';
    return text.slice(opened[0].length + closed.index + closed[0].length).trimStart();
  }
  const closed = loneClosing.exec(text);
  if (closed === null || isQuoted(text, closed)) return text;
  return text.slice(closed.index + closed[0].length).trimStart();
}

/** An answer may speak of the tag: opened by itself before, in code, or in a text of JSON. */
function isQuoted(text: string, closing: RegExpExecArray): boolean {
  const before = text.slice(0, closing.index);
  if (/<think(?:ing)?>|\[THINK\]|◁think▷/i.test(before)) return true;
  const line = before.slice(before.lastIndexOf('\n') + 1);
  if ((line.match(/`/g) ?? []).length % 2 === 1) return true;
  if ((before.match(/^ {0,3}(?:```|~~~)/gm) ?? []).length % 2 === 1) return true;
  return isJson(text);
}

/** True for a text in which nothing can be seen. */
export function isBlank(text: string): boolean {
  return /^[\s\p{Cc}\p{Cf}]*$/u.test(text);
}
