/** An agent's tools, ready to be called: those that come with aiq and the modules in its folder. */

import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Agent } from '../agent/index.ts';
import { messageOf } from '../base/index.ts';
import { readFile } from './read-file.ts';
import { searchFiles } from './search-files.ts';
import { type Tool, toolProblem } from './tool.ts';

const builtIn = new Map(
  [searchFiles, readFile].map((tool) => [tool.name, tool as unknown as Tool]),
);

export const noExport = 'the module exports neither "tool" nor a default';

/** A tool module that cannot be used. */
export class ToolModuleError extends Error {
  /** Absolute path of the module. */
  readonly file: string;

  constructor(file: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'ToolModuleError';
    this.file = file;
  }
}

/**
 * Imports the modules of the agent's folder: their code runs in this thread.
 * @throws ToolModuleError
 */
export async function loadTools({ dir, tools }: Pick<Agent, 'dir' | 'tools'>): Promise<Tool[]> {
  const loaded: Tool[] = [];
  for (const name of tools) {
    const tool = builtIn.get(name) ?? (await loadModule(join(dir, name)));
    if (loaded.some((other) => other.name === tool.name)) {
      throw new ToolModuleError(join(dir, name), `two tools are called "${tool.name}"`);
    }
    loaded.push(tool);
  }
  return loaded;
}

async function loadModule(file: string): Promise<Tool> {
  const loaded = await importFile(file);
  const tool = loaded['tool'] ?? loaded['default'];
  if (tool === undefined) {
    throw new ToolModuleError(file, noExport);
  }
  const problem = toolProblem(tool);
  if (problem !== null)
    throw new ToolModuleError(file, `the default export is no tool: ${problem}`);
  return tool as Tool;
}

async function importFile(file: string): Promise<{ readonly [name: string]: unknown }> {
  try {
    return (await import(pathToFileURL(file).href)) as { [name: string]: unknown };
  } catch (error) {
    const name = error instanceof Error ? `${error.name}: ` : '';
    const message = `the module cannot be loaded: ${name}${messageOf(error)}`;
    throw new ToolModuleError(file, message, { cause: error });
  }
}
