/**
 * Other ways to put a request, for servers that refuse one of its parameters. Found by the parameter
 * that the refusal names, else by its words. Pure: sends nothing.
 */

import { contentOf, toolsAsText, withNote } from '../answer/tools-as-text.ts';
import type { RequestBody } from '../request.ts';

/** A server's refusal of a request. */
export interface Refusal {
  /** The parameter as a path, such as `messages[0].role`; empty when it names none. */
  readonly param: string;
  readonly text: string;
}

/** A way that helped once is taken again with the refusal that showed it. */
export interface Rewrite {
  readonly way: string;
  readonly refusal: Refusal;
}

interface Way {
  readonly name: string;
  readonly param: RegExp;
  readonly text: RegExp;
  /** The other body; null when this one does not use the parameter, or cannot do without. */
  rewrite(body: RequestBody, refusal: Refusal): RequestBody | null;
}

const maxTokens = /max_(?:completion_|output_|new_)?tokens/i;
const format = /response_format|json_schema|text\.format|generation_?config\.response/i;
const formatWords =
  /response_format|json_schema|json_object|json mode|structured.?outputs?|guided_|\bgrammar|mime ?type/i;

/** Tried in this order, each once for a call. */
const ways: readonly Way[] = [
  {
    name: 'lower_limit',
    param: maxTokens,
    text: maxTokens,
    rewrite: (body, { text }) => {
      const limit = limitIn(text);
      const asked = body.max_completion_tokens ?? body.max_tokens ?? 0;
      if (limit === null || limit >= asked) return null;
      const isNew = typeof body.max_completion_tokens === 'number';
      return { ...body, [isNew ? 'max_completion_tokens' : 'max_tokens']: limit };
    },
  },
  {
    name: 'max_tokens',
    param: /max_completion_tokens/i,
    text: /max_completion_tokens/i,
    rewrite: ({ max_completion_tokens, ...rest }) =>
      max_completion_tokens === undefined ? null : { ...rest, max_tokens: max_completion_tokens },
  },
  {
    name: 'max_completion_tokens',
    param: /max_tokens/i,
    text: /max_completion_tokens/i,
    rewrite: ({ max_tokens, ...rest }) =>
      max_tokens === undefined ? null : { ...rest, max_completion_tokens: max_tokens },
  },
  {
    name: 'no_limit',
    param: maxTokens,
    text: maxTokens,
    rewrite: ({ max_completion_tokens, max_tokens, ...rest }) =>
      (max_completion_tokens ?? max_tokens) === undefined ? null : rest,
  },
  {
    name: 'no_usage',
    param: /stream_options/i,
    text: /stream_options|include_usage/i,
    rewrite: ({ stream_options, ...rest }) => (stream_options === undefined ? null : rest),
  },
  {
    name: 'no_stream',
    param: /^(?:body\.)?stream$/i,
    text: /\bstream(?:ing|ed)?\b/i,
    rewrite: ({ stream, stream_options: _options, ...rest }) =>
      // Typed as true, because every request streams at first.
      (stream as boolean) ? ({ ...rest, stream: false } as unknown as RequestBody) : null,
  },
  {
    // Some servers hold an answer to a schema, and some call tools, but not in one request.
    name: 'tools_alone',
    param: /^$/,
    text: new RegExp(
      `(?:tool|function).*(?:${formatWords.source})|(?:${formatWords.source}).*(?:tool|function)`,
      'is',
    ),
    rewrite: (body) => ((body.tools ?? []).length === 0 ? null : schemaAsText(body, null)),
  },
  {
    name: 'tools_in_words',
    param: /\btools?\b|tool_choice|functions?\b/i,
    text: /\btools?\b|tool[_ -](?:choice|call|use)|function.?call/i,
    rewrite: (body) => {
      const plain = toolsAsText(body);
      return plain === null ? null : (schemaAsText(plain, null) ?? plain);
    },
  },
  {
    name: 'loose_schema',
    param: new RegExp(`strict|${format.source}`, 'i'),
    text: new RegExp(`\\bstrict\\b|${formatWords.source}`, 'i'),
    rewrite: (body) => {
      const wanted = body.response_format;
      if (wanted?.type !== 'json_schema' || wanted.json_schema.strict !== true) return null;
      const json_schema = { ...wanted.json_schema, strict: false };
      return { ...body, response_format: { type: 'json_schema', json_schema } };
    },
  },
  {
    name: 'json_object',
    param: format,
    text: formatWords,
    rewrite: (body) =>
      body.response_format?.type === 'json_schema'
        ? schemaAsText(body, { type: 'json_object' })
        : null,
  },
  {
    name: 'schema_in_words',
    param: format,
    text: formatWords,
    rewrite: (body) => schemaAsText(body, null),
  },
  ...(
    [
      'temperature',
      'top_p',
      'seed',
      'frequency_penalty',
      'presence_penalty',
      'reasoning_effort',
      'verbosity',
    ] as const
  ).map(
    (name): Way => ({
      name: `no_${name}`,
      param: new RegExp(`^(?:body\\.)?${name}$`, 'i'),
      text: new RegExp(`\\b${name.replace('_', '[_ ]')}\\b`, 'i'),
      rewrite: (body) => {
        if (body[name] === undefined) return null;
        const { [name]: _, ...rest } = body;
        return rest;
      },
    }),
  ),
  {
    name: 'no_system',
    param: /role/i,
    text: /\bsystem\b.*\b(?:role|message|prompt|instruction)|\b(?:role|instruction).*\bsystem\b|roles must alternate|developer instruction/is,
    rewrite: withoutSystem,
  },
];

/**
 * The first way that fits the refusal and changes the body; a parameter that it names counts before
 * its words. Ways in `used` did not help.
 */
export function rewriteFor(
  body: RequestBody,
  refusal: Refusal,
  used: readonly Rewrite[],
): { readonly rewrite: Rewrite; readonly body: RequestBody } | null {
  const open = ways.filter(({ name }) => !used.some(({ way }) => way === name));
  const byParam = refusal.param === '' ? [] : open.filter(({ param }) => param.test(refusal.param));
  for (const way of [...byParam, ...open.filter(({ text }) => text.test(refusal.text))]) {
    const changed = way.rewrite(body, refusal);
    if (changed !== null) return { rewrite: { way: way.name, refusal }, body: changed };
  }
  return null;
}

/** The body in the ways that helped before, as far as they concern it. */
export function rewritten(body: RequestBody, learned: readonly Rewrite[]): RequestBody {
  return ways.reduce((changed, way) => {
    const known = learned.find(({ way: name }) => name === way.name);
    return known === undefined ? changed : (way.rewrite(changed, known.refusal) ?? changed);
  }, body);
}

/** A server's refusal, from its body: in OpenAI's form, FastAPI's, or any other. */
export function refusalIn(body: string): Refusal {
  const { param, text } = refusalFields(body);
  return { param: param.slice(0, 200), text: text.slice(0, textCharsMax) };
}

/** Words of a server are searched for words of ours: so much is enough, and bounded. */
const textCharsMax = 4_000;

function refusalFields(body: string): Refusal {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body);
  } catch {
    return { param: '', text: body };
  }
  const fields = fieldsOf(parsed);
  const error = fieldsOf(fields['error']);
  const [detail] = Array.isArray(fields['detail']) ? fields['detail'] : [];
  const loc: unknown = fieldsOf(detail)['loc'];
  const param = error['param'] ?? fields['param'] ?? (Array.isArray(loc) ? loc.join('.') : '');
  const text = error['message'] ?? fields['message'];
  return {
    param: typeof param === 'string' ? param : '',
    text: typeof text === 'string' ? text : body,
  };
}

function fieldsOf(value: unknown): { readonly [name: string]: unknown } {
  return typeof value === 'object' && value !== null ? (value as { [name: string]: unknown }) : {};
}

const limitPattern =
  /(?:at most|up to|less than or equal to|<=|≤|\d >|between \d+ and|(?:maximum|limit)(?: value| allowed| number)?(?: of| is|:)?)\s*`?(\d{1,3}(?:,\d{3})+|\d+)/i;

/** "This model supports at most 16384 completion tokens" */
function limitIn(text: string): number | null {
  const [, digits] = limitPattern.exec(text) ?? [];
  const limit = Number(digits?.replaceAll(',', ''));
  return limit > 0 ? limit : null;
}

/** The schema as part of the prompt instead of a parameter; null when there is none to move. */
function schemaAsText(
  body: RequestBody,
  instead: { readonly type: 'json_object' } | null,
): RequestBody | null {
  const { response_format: wanted, ...rest } = body;
  if (wanted === undefined) return null;
  const next = instead === null ? rest : { ...rest, response_format: instead };
  // With `json_object` the note is there already.
  if (wanted.type !== 'json_schema') return next;
  const text = JSON.stringify(wanted.json_schema.schema);
  const note = `Answer with one JSON object that fits this JSON Schema, and nothing else: ${text}`;
  return { ...next, messages: withNote(rest.messages, note) };
}

/** Moves the system message in front of the first user message. */
function withoutSystem(body: RequestBody): RequestBody | null {
  const system = body.messages.filter(({ role }) => role === 'system').map(contentOf);
  if (system.length === 0) return null;
  const [first, ...others] = body.messages.filter(({ role }) => role !== 'system');
  const isUser = first?.role === 'user';
  const content = [...system, ...(isUser ? [contentOf(first)] : [])].join('\n\n');
  const rest = isUser || first === undefined ? others : [first, ...others];
  return { ...body, messages: [{ role: 'user', content }, ...rest] };
}
