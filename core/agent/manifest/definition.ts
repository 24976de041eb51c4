/** The digest of an agent's definition: of all that can change an answer or a file, and so a job's id. */

import { createHash } from 'node:crypto';
import type { Agent, JsonObject } from '../agent.ts';

/** The parts that count. The input schema is not among them: what it makes of an input is in the job. */
type Defining = Pick<
  Agent,
  'name' | 'model' | 'instructions' | 'prompt' | 'output' | 'tools' | 'knowledge'
>;

/**
 * SHA-256 (hex) over these parts and the tool modules, by the names of both. Comments, descriptions,
 * limits, the layout of the file, line ends and byte order marks change nothing.
 */
export function definitionDigest(agent: Defining, modules: ReadonlyMap<string, Buffer>): string {
  const { name, model, instructions, prompt, output, tools, knowledge } = agent;
  const { format, schema, file, template, overwrite, trim } = output;
  const parts = {
    name,
    model,
    instructions: textOf(instructions),
    prompt: textOf(prompt),
    output: { format, schema, file: textOf(file), template: textOf(template), overwrite, trim },
    tools: tools.map((tool) => [tool, normal(modules.get(tool)?.toString('utf8') ?? '')]),
    knowledge,
  };
  return createHash('sha256')
    .update(JSON.stringify(sorted(parts)))
    .digest('hex');
}

function textOf(source: { readonly text: string } | null): string | null {
  return source === null ? null : normal(source.text);
}

function normal(text: string): string {
  return text.replace(/^\u{feff}/u, '').replaceAll('\r\n', '\n');
}

/** The order of properties has no meaning. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value as JsonObject).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, inner]) => [key, sorted(inner)]));
}
