/** The parts of an agent that may lie in files beside its manifest: templates, schemas, tools. */

import {
  type Finding,
  parseYaml,
  suggestion,
  type YamlFile,
  type YamlPath,
} from '../../yaml/index.ts';
import type { JsonObject, TemplateSource } from '../agent.ts';
import { checkUserSchema } from '../schema/user-schema.ts';
import type { AgentFiles } from './agent-files.ts';
import type { Manifest } from './manifest-type.ts';

/** Tools that come with aiq and that an agent may name. */
export const builtInTools: readonly string[] = ['search_files', 'read_file'];

/** One reading of one folder: what it found so far. */
export interface Reading {
  readonly manifest: YamlFile;
  readonly files: AgentFiles;
  readonly problems: Finding[];
}

export function report(reading: Reading, path: YamlPath, message: string): void {
  const { manifest, problems } = reading;
  problems.push({ file: manifest.file, ...manifest.placeOf(path), message });
}

/** The text of a template field, from the manifest itself or from a file beside it. */
export function readTemplate(
  reading: Reading,
  field: Manifest['instructions'],
  path: YamlPath,
): TemplateSource | null {
  const { manifest, files } = reading;
  if (typeof field === 'string') {
    return { text: field, file: manifest.file, ...manifest.textPlaceOf(path) };
  }
  const result = files.read(field.file);
  if (!result.ok) {
    report(reading, [...path, 'file'], result.message);
    return null;
  }
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(result.bytes);
    return { text, file: result.path, line: 1 };
  } catch {
    report(reading, [...path, 'file'], `"${field.file}" is not UTF-8 text`);
    return null;
  }
}

/** A schema, written out or as `{ $ref: ./file.json }`, once it passed every check. */
export async function readSchema(
  reading: Reading,
  schema: JsonObject,
  path: YamlPath,
): Promise<JsonObject | null> {
  const { $ref: reference } = schema;
  if (typeof reference !== 'string' || reference.startsWith('#')) {
    const findings = await checkUserSchema(schema, { file: reading.manifest, path });
    reading.problems.push(...findings);
    return findings.length === 0 ? schema : null;
  }
  if (Object.keys(schema).length > 1) {
    report(reading, path, '"$ref" to a file must be the only key');
    return null;
  }
  const result = reading.files.read(reference);
  if (!result.ok) {
    report(reading, [...path, '$ref'], result.message);
    return null;
  }
  return readSchemaFile(reading, result.path, result.bytes);
}

/** JSON is YAML too, so a schema's file gets the same checks and the same places. */
async function readSchemaFile(
  reading: Reading,
  path: string,
  bytes: Buffer,
): Promise<JsonObject | null> {
  const parsed = parseYaml(path, bytes);
  if (!parsed.ok) {
    reading.problems.push(...parsed.findings);
    return null;
  }
  const { file } = parsed;
  if (typeof file.value !== 'object' || file.value === null || Array.isArray(file.value)) {
    reading.problems.push({
      file: path,
      line: 1,
      column: 1,
      message: 'a schema must be an object',
    });
    return null;
  }
  const schema = file.value as JsonObject;
  const findings = await checkUserSchema(schema, { file, path: [] });
  reading.problems.push(...findings);
  return findings.length === 0 ? schema : null;
}

/** Absolute, or with a step upwards. */
const outsidePattern = /^[/~\\]|^[a-z]:|(?:^|[/{,])\.\.(?:[/},]|$)/i;

/** Patterns of files outside the configuration's folder, and tools without files to search. */
export function checkKnowledge(
  reading: Reading,
  { knowledge, tools }: Pick<Manifest, 'knowledge' | 'tools'>,
): void {
  for (const [index, { include, exclude }] of knowledge.entries()) {
    checkPatterns(reading, include, ['knowledge', index, 'include']);
    checkPatterns(reading, exclude, ['knowledge', index, 'exclude']);
  }
  const searching = tools.findIndex((tool) => builtInTools.includes(tool));
  if (searching === -1 || knowledge.length > 0) return;
  const message = `"${tools[searching]}" has no files to search: "knowledge" names no files`;
  report(reading, ['tools', searching], message);
}

function checkPatterns(reading: Reading, patterns: readonly string[], path: YamlPath): void {
  for (const [index, pattern] of patterns.entries()) {
    if (!outsidePattern.test(pattern)) continue;
    const message = `"${pattern}" leaves the folder of aiq.config.yaml, which it is relative to`;
    report(reading, [...path, index], message);
  }
}

/** Every tool must be one of ours, or a module inside the folder. Returns the modules by their paths. */
export function checkTools(reading: Reading, tools: readonly string[]): Map<string, Buffer> {
  const modules = new Map<string, Buffer>();
  for (const [index, tool] of tools.entries()) {
    if (!/[./\\]/.test(tool)) {
      if (builtInTools.includes(tool)) continue;
      const known = builtInTools.join(', ');
      const near = suggestion(tool, builtInTools);
      report(
        reading,
        ['tools', index],
        `unknown tool "${tool}".${near} Built in: ${known}; your own are paths like ./tools/x.js`,
      );
    } else if (!/^\.\/.+\.(js|mjs|ts|mts)$/.test(tool)) {
      report(reading, ['tools', index], `"${tool}" must be a path like ./tools/x.js`);
    } else {
      const result = reading.files.read(tool);
      if (result.ok) modules.set(tool, result.bytes);
      else report(reading, ['tools', index], result.message);
    }
  }
  return modules;
}
