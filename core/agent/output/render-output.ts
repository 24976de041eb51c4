/** Renders the model's answer into files, after parsing and checking it where the format asks for that. */

import { type LostNumber, readJson, shorten } from '../../yaml/index.ts';
import { type Agent, AgentError, type JsonObject, type RenderedFile } from '../agent.ts';
import { lostProblems, problemsOf } from '../schema/explain.ts';
import type { ValidateFunction } from '../schema/validator.ts';
import type { Template } from '../template/templates.ts';
import { cleanPath } from './output-path.ts';

const filesMaxDefault = 1_000;

/** What rendering needs of one compiled agent. */
export interface OutputParts {
  readonly agent: Agent;
  /** null when a JSON answer may have any shape. */
  readonly validate: ValidateFunction | null;
  readonly template: Template | null;
  readonly pathNeedsOutput: boolean;
  /** Says inside a text that it is an extract; null for an answer. */
  readonly extractNotice: string | null;
  /** The clean path for an answer. @throws AgentError */
  pathFor(output: unknown): string;
}

type Variables = { readonly [name: string]: unknown };

/** @throws AgentError `output_invalid`, `template_failed`, `path_invalid` */
export function renderOutput(
  parts: OutputParts,
  answer: string,
  variables: Variables,
): RenderedFile[] {
  const { format, trim } = parts.agent.output;
  if (format === 'text' || format === 'markdown') {
    const output = withoutLineEnds(trim ? answer.trim() : answer);
    if (output.trim() === '') throw invalid('the answer is empty');
    return [oneFile(parts, output, answer, variables)];
  }
  const { output, lost } = parseAnswer(parts, answer);
  if (format === 'files') return renderFiles(parts, output as FileList, filesMaxOf(variables));
  if (lost.length > 0 && (parts.template !== null || parts.pathNeedsOutput)) {
    const problems = lostProblems(lost);
    throw invalid(problems.map(({ property, message }) => `${property} ${message}`).join('; '));
  }
  return [oneFile(parts, output, exactText(output, lost), variables)];
}

function oneFile(
  parts: OutputParts,
  output: unknown,
  plain: string,
  variables: Variables,
): RenderedFile {
  const text = parts.template === null ? plain : parts.template({ ...variables, output });
  const shown = parts.agent.output.trim ? text.trim() : text;
  const file = { path: parts.pathFor(output), content: closedByOneLineEnd(shown) };
  return parts.extractNotice === null ? file : withNotice(file, parts.extractNotice);
}

/** As the model wrote it, but for what follows its last line: exactly one line end, of its own kind. */
function closedByOneLineEnd(text: string): string {
  const body = withoutLineEnds(text);
  return `${body}${text.startsWith('\r\n', body.length) ? '\r\n' : '\n'}`;
}

function withoutLineEnds(text: string): string {
  let end = text.length;
  while (text[end - 1] === '\n') end -= text[end - 2] === '\r' ? 2 : 1;
  return text.slice(0, end);
}

/** Readable, and each number as the model wrote it, also where ours could not keep it. */
function exactText(output: unknown, lost: readonly LostNumber[]): string {
  const sources = new Map(lost.map(({ path, text }) => [JSON.stringify(path), text]));
  const exact = (value: unknown, path: readonly string[]): unknown => {
    const source = sources.get(JSON.stringify(path));
    if (source !== undefined) return rawJson(source);
    if (Array.isArray(value)) return value.map((item, index) => exact(item, [...path, `${index}`]));
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(
      Object.entries(value).map(([key, member]) => [key, exact(member, [...path, key])]),
    );
  };
  return JSON.stringify(lost.length === 0 ? output : exact(output, []), null, 2);
}

/** Not in the types yet: text that `JSON.stringify` takes over as it is. */
const { rawJSON: rawJson } = JSON as unknown as { readonly rawJSON: (text: string) => unknown };

function parseAnswer(
  { agent, validate }: OutputParts,
  answer: string,
): { readonly output: unknown; readonly lost: readonly LostNumber[] } {
  let output: unknown;
  let lost: readonly LostNumber[];
  try {
    ({ value: output, lost } = readJson(answer));
  } catch (error) {
    throw new AgentError('output_invalid', `the answer is not JSON: ${shorten(answer.trim())}`, {
      cause: error,
    });
  }
  if (validate === null || validate(output)) return { output, lost };
  const problems = problemsOf(validate.errors ?? [], output);
  const lines = problems
    .slice(0, 10)
    .map(({ property, message }) => `${property} ${message}`.trim());
  throw new AgentError(
    'output_invalid',
    `the answer does not fit "output.schema" of ${agent.name}: ${lines.join('; ')}`,
    { problems },
  );
}

interface FileList {
  readonly files?: unknown;
}

/** A job's own `maxFiles` holds, whatever the model made of it. */
function filesMaxOf({ input }: Variables): number {
  const { maxFiles } = (input ?? {}) as JsonObject;
  return typeof maxFiles === 'number' ? Math.min(maxFiles, filesMaxDefault) : filesMaxDefault;
}

function renderFiles(parts: OutputParts, output: FileList, filesMax: number): RenderedFile[] {
  const folder = parts.pathFor(output);
  // An agent's own schema may allow more than a list of files; that list must be there all the same.
  const list = Array.isArray(output.files) ? (output.files as unknown[]) : [];
  if (list.length === 0) throw invalid('the answer has no list "files" of { path, content }');
  if (list.length > filesMax) {
    throw invalid(`the answer has ${list.length} files; ${filesMax} are allowed`);
  }
  const seen = new Set<string>();
  const files = list.map((item, index) => {
    const { path, content } = (item ?? {}) as JsonObject;
    if (typeof path !== 'string' || typeof content !== 'string') {
      throw invalid(`files.${index} is not { path, content }`);
    }
    const clean = cleanPath(path);
    if (!clean.ok) throw invalid(`files.${index}: ${clean.message}`);
    const folded = clean.path.toLowerCase();
    if (seen.has(folded)) throw invalid(`files.${index}: ${shorten(path)} appears twice`);
    seen.add(folded);
    return { path: clean.path, content };
  });
  for (const { path } of files) {
    const parent = foldersOf(path.toLowerCase()).find((name) => seen.has(name));
    if (parent !== undefined) {
      throw invalid(`${shorten(path)} needs a folder where ${shorten(parent)} is a file`);
    }
  }
  return files.map(({ path, content }) => ({ path: `${folder}/${path}`, content }));
}

/** `a/b/c` lies in `a` and in `a/b`. */
function foldersOf(path: string): string[] {
  const parts = path.split('/');
  return parts.slice(1).map((_, index) => parts.slice(0, index + 1).join('/'));
}

function invalid(message: string): AgentError {
  return new AgentError('output_invalid', message);
}

/**
 * Files that are read as text carry the notice of an extract inside; others have it in their name, where
 * a label would break them or be overlooked.
 */
const readAsText = /(?:^|\/)[^/.]+$|\.(?:md|markdown|txt)$/i;

/** `a/b.json` as `a/b.offline.json`; a name that is read as text stays. */
export function extractName(path: string): string {
  return readAsText.test(path) ? path : path.replace(/(?:\.[^./]*)?$/, '.offline$&');
}

/** `a/site` as `a/site.offline`. */
export function extractFolder(path: string): string {
  return `${path}.offline`;
}

/** The file with the notice inside, unless its name has it. */
function withNotice({ path, content }: RenderedFile, notice: string): RenderedFile {
  if (!readAsText.test(path) || content.includes(notice)) return { path, content };
  return { path, content: `${content}\n<!-- ${notice} -->\n` };
}
