/** Reads one agent's folder into a checked `Agent`, or into the list of all its problems. */

import { basename, join } from 'node:path';
import { durationProblem, parseDuration } from '../../base/index.ts';
import { type Finding, readYamlFile, suggestion } from '../../yaml/index.ts';
import type { Agent, JsonObject, OutputFormat, Problem, TemplateSource } from '../agent.ts';
import { createAgentFiles } from './agent-files.ts';
import { definitionDigest } from './definition.ts';
import { checkManifest } from './manifest.ts';
import type { Manifest } from './manifest-type.ts';
import {
  checkKnowledge,
  checkTools,
  type Reading,
  readSchema,
  readTemplate,
  report,
} from './read-parts.ts';

export const manifestName = 'agent.yaml';

export type ReadResult =
  | { readonly ok: true; readonly agent: Agent }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** Settings of `aiq.config.yaml` for agents without their own. */
export interface AgentDefaults {
  /** For one attempt; 2 minutes when left out. */
  readonly timeoutMs?: number;
}

const timeoutMsDefault = 120_000;

/** Reads `<dir>/agent.yaml` and the files it names. Bad content is a result, never thrown. */
export async function readAgent(
  dir: string,
  builtIn: boolean,
  defaults: AgentDefaults = {},
): Promise<ReadResult> {
  const parsed = readYamlFile(join(dir, manifestName));
  if (!parsed.ok) return { ok: false, problems: parsed.findings };
  const { file } = parsed;
  const checked = await checkManifest(file);
  if (!checked.ok) return { ok: false, problems: checked.findings };
  const { manifest } = checked;
  const problems: Finding[] = [];
  const reading: Reading = { manifest: file, files: createAgentFiles(dir), problems };
  const name = checkName(reading, manifest, basename(dir));
  const templates = readTemplates(reading, manifest);
  const input = await readInput(reading, manifest);
  const output = await readOutput(reading, manifest);
  const modules = checkTools(reading, manifest.tools);
  checkKnowledge(reading, manifest);
  const retry = retryOf(reading, manifest);
  const limits = limitsOf(reading, manifest, defaults.timeoutMs ?? timeoutMsDefault);
  if (problems.length > 0 || templates === null || input === null || output === null) {
    return { ok: false, problems };
  }
  const { tools, knowledge } = manifest;
  const definition = {
    name,
    model: modelOf(manifest.model),
    ...templates,
    output,
    tools,
    knowledge,
  };
  const agent: Agent = {
    ...definition,
    dir,
    builtIn,
    input,
    retry,
    description: manifest.description,
    version: manifest.version ?? null,
    queue: manifest.queue ?? name,
    digest: definitionDigest(definition, modules),
    file: file.file,
    limits,
    metadata: manifest.metadata,
  };
  return { ok: true, agent };
}

const namePattern = /^[a-z0-9]+(-[a-z0-9]+)*$/;
const nameLengthMax = 64;

/** True for a name that an agent's folder may have. */
export function isAgentName(name: string): boolean {
  return name.length <= nameLengthMax && namePattern.test(name);
}

function checkName(reading: Reading, manifest: Manifest, folder: string): string {
  if (!isAgentName(folder)) {
    report(reading, [], `the folder "${folder}" must be named in a-z, 0-9 and single dashes`);
  } else if (manifest.name !== undefined && manifest.name !== folder) {
    report(reading, ['name'], `"name" is ${manifest.name}, but the folder is called ${folder}`);
  }
  return folder;
}

interface Templates {
  readonly instructions: TemplateSource;
  readonly prompt: TemplateSource | null;
}

function readTemplates(reading: Reading, manifest: Manifest): Templates | null {
  const instructions = readTemplate(reading, manifest.instructions, ['instructions']);
  const prompt =
    manifest.prompt === undefined ? null : readTemplate(reading, manifest.prompt, ['prompt']);
  return instructions === null ? null : { instructions, prompt };
}

/** What an agent without `input` takes: one text. */
const textInputSchema: JsonObject = {
  type: 'object',
  additionalProperties: false,
  required: ['text'],
  properties: {
    text: { type: 'string', minLength: 1, description: 'The text', 'x-aiq': { from: 'file' } },
  },
};

async function readInput(reading: Reading, manifest: Manifest): Promise<Agent['input'] | null> {
  if (manifest.input === undefined) {
    return { schema: textInputSchema, primary: 'text', schemaLine: 1 };
  }
  const path = ['input', 'schema'];
  const schema = await readSchema(reading, manifest.input.schema, path);
  if (schema === null) return null;
  const { primary } = manifest.input;
  if (primary !== undefined && !isText(schema, primary)) {
    const near = suggestion(primary, Object.keys(propertiesOf(schema)));
    report(
      reading,
      ['input', 'primary'],
      `"input.primary" must name a text property of the schema; "${primary}" is none.${near}`,
    );
  }
  const { line } = reading.manifest.keyPlaceOf(path);
  return { schema, primary: primary ?? primaryOf(schema), schemaLine: line };
}

/** The only required text, else `input` or `text`. */
function primaryOf(schema: JsonObject): string | null {
  const required = Array.isArray(schema['required']) ? (schema['required'] as string[]) : [];
  const texts = required.filter((name) => isText(schema, name));
  if (texts.length === 1) return texts[0] ?? null;
  return ['input', 'text'].find((name) => isText(schema, name)) ?? null;
}

function propertiesOf(schema: JsonObject): { readonly [name: string]: JsonObject } {
  return (schema['properties'] ?? {}) as { [name: string]: JsonObject };
}

function isText(schema: JsonObject, name: string): boolean {
  const properties = propertiesOf(schema);
  const type: unknown = Object.hasOwn(properties, name) ? properties[name]?.['type'] : undefined;
  return type === 'string' || (Array.isArray(type) && type.includes('string'));
}

/** What `format: files` asks for when the agent brings no schema of its own. */
export const filesSchema: JsonObject = {
  type: 'object',
  additionalProperties: false,
  required: ['files'],
  properties: {
    files: {
      type: 'array',
      minItems: 1,
      items: {
        type: 'object',
        additionalProperties: false,
        required: ['path', 'content'],
        properties: { path: { type: 'string', minLength: 1 }, content: { type: 'string' } },
      },
    },
  },
};

async function readOutput(reading: Reading, manifest: Manifest): Promise<Agent['output'] | null> {
  const { output } = manifest;
  const { format, overwrite, trim } = output;
  checkCombination(reading, output);
  const template =
    output.template === undefined
      ? null
      : readTemplate(reading, output.template, ['output', 'template']);
  const schema =
    output.schema === undefined
      ? null
      : await readSchema(reading, output.schema, ['output', 'schema']);
  const file =
    output.file === undefined
      ? { text: defaultFile(format, template !== null), file: reading.manifest.file, line: 1 }
      : readTemplate(reading, output.file, ['output', 'file']);
  if (file === null) return null;
  const needed = schema ?? (format === 'files' ? filesSchema : null);
  // Prose that is cut from the input is still of the input; a table of it would be invented.
  const extracts = output.extracts ?? (format === 'text' || format === 'markdown');
  return { format, file, template, schema: needed, overwrite, extracts, trim };
}

function checkCombination(
  reading: Reading,
  { format, schema, template }: Manifest['output'],
): void {
  if (schema !== undefined && format !== 'json' && format !== 'files') {
    report(reading, ['output', 'schema'], '"output.schema" needs "output.format: json" or files');
  }
  if (template !== undefined && format === 'files') {
    report(reading, ['output', 'template'], '"output.template" has no use with "format: files"');
  }
}

function defaultFile(format: OutputFormat, hasTemplate: boolean): string {
  if (format === 'files') return '{{job.agent}}/{{job.shortId}}';
  return `{{job.agent}}/{{job.shortId}}.${format === 'json' && !hasTemplate ? 'json' : 'md'}`;
}

function modelOf(model: Manifest['model']): Agent['model'] {
  if (typeof model === 'string') return { id: model, provider: null, options: {} };
  return { id: model.id ?? null, provider: model.provider ?? null, options: model.options };
}

/** Of a text that has the form of one. */
function durationOf(reading: Reading, path: readonly string[], text: string): number {
  const ms = parseDuration(text);
  if (ms === null) {
    report(reading, path, `"${path.join('.')}": "${text}" ${durationProblem(text)}`);
  }
  return ms ?? Number.NaN;
}

function limitsOf(reading: Reading, { limits }: Manifest, timeoutMs: number): Agent['limits'] {
  const { timeout } = limits;
  return {
    timeoutMs:
      timeout === undefined ? timeoutMs : durationOf(reading, ['limits', 'timeout'], timeout),
    concurrency: limits.concurrency ?? null,
    requestsPerMinute: limits.requestsPerMinute ?? null,
    tokensPerMinute: limits.tokensPerMinute ?? null,
    maxSteps: limits.maxSteps,
    maxInputTokens: limits.maxInputTokens ?? null,
    maxCost: limits.maxCost ?? null,
  };
}

function retryOf(reading: Reading, { retry }: Manifest): Agent['retry'] {
  const { attempts, backoff } = retry;
  const delayMs = durationOf(reading, ['retry', 'delay'], retry.delay);
  const maxDelayMs = durationOf(reading, ['retry', 'maxDelay'], retry.maxDelay);
  if (maxDelayMs < delayMs) {
    report(reading, ['retry', 'maxDelay'], '"retry.maxDelay" is shorter than "retry.delay"');
  }
  return { attempts, backoff, delayMs, maxDelayMs };
}
