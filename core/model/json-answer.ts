/** Reads JSON out of a model's answer: as it is, out of a code fence, or repaired. */

import { jsonrepair } from 'jsonrepair';
import { ModelError } from './model.ts';

export interface JsonAnswer {
  readonly value: unknown;
  /** True when the text was no valid JSON as it came (a fence around valid JSON does not count). */
  readonly repaired: boolean;
}

/**
 * Plain parse first; then the object or array inside, repaired. Only an object or an array can come
 * out of a repair: jsonrepair makes a string of any prose.
 * @throws ModelError `answer_not_json` (transient) when there is no JSON to be found
 */
export function parseJsonAnswer(text: string): JsonAnswer {
  const body = unfenced(text);
  const plain = parsed(body);
  if (plain !== undefined) return { value: plain, repaired: false };

  const start = body.search(/[{[]/);
  const repaired = start === -1 ? undefined : repairedFrom(body.slice(start));
  if (typeof repaired !== 'object' || repaired === null) {
    throw new ModelError(
      'transient',
      'answer_not_json',
      'The answer is not JSON, and beyond repair.',
    );
  }
  return { value: repaired, repaired: true };
}

function unfenced(text: string): string {
  const fence = /```(?:json[c5]?)?[^\S\n]*\n([^]*?)\n?\s*```/i.exec(text);
  // Only a fence in front of which nothing looks like JSON: strings may hold fences of their own.
  const isOutermost = fence !== null && !/[{[]/.test(text.slice(0, fence.index));
  return (isOutermost ? (fence[1] ?? '') : text).replace(/^\uFEFF/, '').trim();
}

function repairedFrom(text: string): unknown {
  const end = Math.max(text.lastIndexOf('}'), text.lastIndexOf(']'));
  // Prose after the last bracket goes first; an answer without its closing bracket is kept whole.
  const candidates = end === -1 ? [text] : [text.slice(0, end + 1), text];
  for (const candidate of candidates) {
    const plain = parsed(candidate);
    if (plain !== undefined) return plain;
  }
  for (const candidate of candidates) {
    try {
      return JSON.parse(jsonrepair(candidate));
    } catch {
      // The next candidate may do.
    }
  }
  return undefined;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
