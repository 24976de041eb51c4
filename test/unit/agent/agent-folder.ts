/** Agents written into temporary folders, for tests of everything that reads them. */

import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';
import {
  type Agent,
  BrokenAgentError,
  type CompiledAgent,
  compileAgent,
  type JobContext,
  type JsonObject,
  lintAgent,
  loadAgent,
} from '../../../core/agent/index.ts';

/** Writes files below a new folder that goes when the test ends. */
export function folderWith(files: { readonly [path: string]: string | Buffer }): string {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'aiq-agents-')));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
  }
  return root;
}

/** The agent `probe` from the text of its manifest and the files beside it. */
export function loadProbe(
  text: string,
  files: { readonly [path: string]: string | Buffer } = {},
): Promise<Agent> {
  const beside = Object.entries(files).map(([path, content]) => [`probe/${path}`, content]);
  const root = folderWith({ 'probe/agent.yaml': text, ...Object.fromEntries(beside) });
  return loadAgent('probe', [root]);
}

/** `line:column message` of everything wrong with a manifest; empty when it loads and lints clean. */
export async function problemsOf(
  text: string,
  files: { readonly [path: string]: string | Buffer } = {},
): Promise<string[]> {
  try {
    const problems = await lintAgent(await loadProbe(text, files));
    return problems.map(({ line, column, message }) => `${line}:${column} ${message}`);
  } catch (error) {
    if (!(error instanceof BrokenAgentError)) throw error;
    return error.problems.map(({ line, column, message }) => `${line}:${column} ${message}`);
  }
}

export async function compileProbe(
  text: string,
  files: { readonly [path: string]: string | Buffer } = {},
): Promise<CompiledAgent> {
  return compileAgent(await loadProbe(text, files));
}

/** The smallest manifest, with more lines behind it. */
export function manifest(...lines: string[]): string {
  return ['description: A probe', 'instructions: Do it', ...lines, ''].join('\n');
}

/** A manifest whose input has the given properties, all optional, and whose prompt is given. */
export function promptManifest(properties: JsonObject, prompt: string): string {
  const schema = { type: 'object', additionalProperties: false, properties };
  return manifest(
    `input: { schema: ${JSON.stringify(schema)} }`,
    `prompt: ${JSON.stringify(prompt)}`,
  );
}

export const job: JobContext = {
  id: '0123456789abcdefghjkmnpqr0',
  shortId: '0123456789ab',
  agent: 'probe',
  attempt: 1,
  source: 'notes/First draft.txt',
  createdAt: '2026-11-22T10:11:12.000Z',
};
