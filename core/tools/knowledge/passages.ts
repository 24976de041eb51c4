/**
 * Cuts a text into passages on paragraph borders. A passage is a piece of the text itself, not one
 * character changed, so that every quote of it appears in the file.
 */

export interface Passage {
  /** First and last line, from 1. */
  readonly from: number;
  readonly to: number;
  /** The nearest heading above or at its start; empty when there is none. */
  readonly heading: string;
  /** Whether it begins, or ends, inside a sentence because a long paragraph was cut there. */
  readonly cutAtStart: boolean;
  readonly cutAtEnd: boolean;
  readonly text: string;
}

/** Larger passages would not fit beside others into one answer of a tool. */
const chunkCharsMax = 8_000;

/** Lines that belong together, by their offsets in the text. */
interface Block {
  readonly start: number;
  readonly end: number;
  readonly from: number;
  readonly to: number;
  readonly heading: string;
  readonly cutAtStart: boolean;
  readonly cutAtEnd: boolean;
}

/** @param chunkSize characters in a passage; a single line may be cut to fit */
export function passagesOf(text: string, chunkSize: number): Passage[] {
  const size = Math.min(chunkSize, chunkCharsMax);
  const passages: Block[] = [];
  for (const block of blocksOf(text).flatMap((one) => fitted(text, one, size))) {
    const last = passages.at(-1);
    const isSection = last !== undefined && last.heading !== block.heading;
    const isFull = last === undefined || block.end - last.start > size;
    if (isFull || isSection) passages.push(block);
    else passages[passages.length - 1] = joined(last, block);
  }
  return passages.map(({ start, end, ...passage }) => ({
    ...passage,
    text: text.slice(start, end),
  }));
}

function joined(first: Block, { end, to, cutAtEnd }: Block): Block {
  return { ...first, end, to, cutAtEnd };
}

const headingLine = /^#{1,6}\s+(.*\S)/;

/** Paragraphs: runs of lines that are not blank. A heading begins one of its own. */
function blocksOf(text: string): Block[] {
  const blocks: Block[] = [];
  let heading = '';
  let open: Block | null = null;
  for (const { start, end, line } of linesOf(text)) {
    const content = text.slice(start, end);
    const title = headingLine.exec(content)?.[1];
    if (title !== undefined) heading = title;
    if (open !== null && (title !== undefined || content.trim() === '')) {
      blocks.push(open);
      open = null;
    }
    if (content.trim() === '') continue;
    const whole = { cutAtStart: false, cutAtEnd: false };
    const begun: Block = open ?? { start, end, from: line, to: line, heading, ...whole };
    open = { ...begun, end, to: line };
  }
  return open === null ? blocks : [...blocks, open];
}

/** Offsets of each line without its end, and its number. */
function* linesOf(text: string): Generator<{ start: number; end: number; line: number }> {
  for (let start = 0, line = 1; start < text.length; line += 1) {
    const found = text.indexOf('\n', start);
    const next = found === -1 ? text.length : found;
    const end = text[next - 1] === '\r' && next > start ? next - 1 : next;
    yield { start, end, line };
    start = next + 1;
  }
}

const sentenceEnd = /[.!?…。！？]["'”’»)\]]*\s*$/u;

/** An item of a list or a row of a table, which goes on with nothing. */
const itemStart = /^\s*(?:[-*+|>]|\d{1,3}[.)]\s)/;

function isInSentence(before: string, after: string): boolean {
  return !(sentenceEnd.test(before) || (before.endsWith('\n') && itemStart.test(after)));
}

/** A block that is too long becomes several: at ends of lines, and within a line between words. */
function fitted(text: string, block: Block, size: number): Block[] {
  if (block.end - block.start <= size) return [block];
  const parts: Block[] = [];
  let { start, from, cutAtStart } = block;
  while (start < block.end) {
    const end = block.end - start <= size ? block.end : cutAt(text, start, start + size);
    const piece = text.slice(start, end);
    const to = from + (piece.trimEnd().match(/\n/g)?.length ?? 0);
    const cutAtEnd = end < block.end && isInSentence(piece, text.slice(end, end + 20));
    if (piece.trim() !== '') {
      parts.push({ ...block, start, end, from, to, cutAtStart, cutAtEnd });
      cutAtStart = cutAtEnd;
    }
    from += piece.match(/\n/g)?.length ?? 0;
    start = end;
  }
  return parts;
}

/** The last good place for a cut in front of `end`, at least half a passage away from `start`. */
function cutAt(text: string, start: number, end: number): number {
  const least = start + Math.floor((end - start) / 2);
  const line = text.lastIndexOf('\n', end - 1);
  if (line >= least) return line + 1;
  const space = text.lastIndexOf(' ', end - 1);
  if (space >= least) return space + 1;
  // Half of a surrogate pair is no text.
  return /[\uD800-\uDBFF]/.test(text[end - 1] ?? '') ? end - 1 : end;
}
