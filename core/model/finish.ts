/**
 * What a finish reason says of an answer. Only the reasons known to mean *whole* make it one: a new
 * word of a new server is a reason to ask again, never a file.
 */

/** `calls`: whole when it has tool calls, which is what ended it. `other`: nobody knows. */
export type FinishKind = 'whole' | 'calls' | 'length' | 'filtered' | 'other';

const whole = new Set(['stop', 'eos', 'eos_token', 'end_turn', 'stop_sequence', 'complete']);
const calls = new Set(['tool_calls', 'tool_call', 'tool_use', 'function_call']);

/** OpenAI and Mistral, Gemini, Anthropic, TGI, and what proxies make of them. */
const length =
  /^(?:(?:model_|max_|finish_)?length|max_(?:(?:output|new|completion)_)?tokens|token_limit|model_context_window_exceeded)$/;
const filtered =
  /^(?:content_?filter(?:ed)?|(?:image_)?safety|recitation|image_recitation|blocklist|prohibited_content|image_prohibited_content|spii|refusal|sensitive|guardrail_intervened)(?![a-z_])/;

/** In any case, with dashes or underscores. */
export function finishKind(reason: string): FinishKind {
  const name = reason.trim().toLowerCase().replaceAll(/[- ]/g, '_');
  if (whole.has(name)) return 'whole';
  if (calls.has(name)) return 'calls';
  if (length.test(name)) return 'length';
  return filtered.test(name) ? 'filtered' : 'other';
}
