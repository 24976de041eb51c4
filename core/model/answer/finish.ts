/**
 * Classifies finish reasons. Only those known to mean *whole* make an answer whole: an unknown reason is
 * asked again, never written to a file.
 */

/** `calls`: whole when it has tool calls, which is what ended it. `other`: unknown. */
export type FinishKind = 'whole' | 'calls' | 'length' | 'filtered' | 'other';

const whole = new Set(['stop', 'eos', 'eos_token', 'end_turn', 'stop_sequence', 'complete']);
const calls = new Set(['tool_calls', 'tool_call', 'tool_use', 'function_call']);

/** Broad, as neither kind ever makes a file. */
const length = /length|max_?(?:\w+_)?tokens|token_?limit|context_window/;
const filtered =
  /content_?filter|safety|recitation|block|prohibited|spii|refus|sensitive|moderat|guardrail/;

/** In any case, with dashes or underscores. */
export function finishKind(reason: string): FinishKind {
  const name = reason.trim().toLowerCase().replaceAll(/[- ]/g, '_');
  if (whole.has(name)) return 'whole';
  if (calls.has(name)) return 'calls';
  if (length.test(name)) return 'length';
  // Gemini's `function_call_filter: MALFORMED_FUNCTION_CALL` is a bad sample.
  return filtered.test(name) && !name.startsWith('function_call') ? 'filtered' : 'other';
}
