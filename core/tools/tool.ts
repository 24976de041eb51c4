/**
 * The contract of a tool: what an agent's tool module exports and the tool loop calls.
 */

import type { Agent } from '../agent/index.ts';
import type { KnowledgeBase } from './knowledge/base.ts';

/** A JSON Schema (2020-12) of an object: the arguments that the model has to give. */
export type ToolParameters = { readonly [keyword: string]: unknown };

/** The arguments of a tool without a type of its own for them. */
export type ToolArguments = { readonly [name: string]: unknown };

/** What a call may know besides its arguments. */
export interface ToolContext {
  /** Aborts when the job is cancelled, its lease is lost or its time is up. Stop then. */
  readonly signal: AbortSignal;
  /** The agent that the job is for; `agent.dir` is its absolute folder. */
  readonly agent: Agent;
  readonly job: { readonly id: string; readonly attempt: number };
  /** Absolute folder of `aiq.config.yaml`, which `knowledge` is relative to. */
  readonly baseDir: string;
  /** The files that the agent's `knowledge` names. */
  readonly knowledge: KnowledgeBase;
}

/** A function that a model may call while it works on a job. */
export interface Tool<Arguments = ToolArguments> {
  /** What the model calls it: letters, digits, `_` and `-`, at most 64. */
  readonly name: string;
  /** For the model: when to call it and what comes back. */
  readonly description: string;
  readonly parameters: ToolParameters;
  /**
   * Does the work. Called only with arguments that fit `parameters`, its defaults filled in. The
   * result goes to the model: text as it is, anything else as JSON. A thrown error goes to the model
   * too, as text, so that it can try another way; the job goes on.
   */
  run(args: Arguments, context: ToolContext): Promise<string | object>;
}

const toolName = /^[A-Za-z0-9_-]{1,64}$/;

/** What keeps a value from being a tool, or null when it is one. */
export function toolProblem(value: unknown): string | null {
  if (typeof value !== 'object' || value === null) {
    return 'is no tool; export what defineTool makes';
  }
  const { name, description, parameters, run } = value as Partial<Record<keyof Tool, unknown>>;
  if (typeof name !== 'string' || !toolName.test(name)) {
    return '"name" must be 1 to 64 letters, digits, "_" or "-"';
  }
  if (typeof description !== 'string' || description.trim() === '') {
    return '"description" must tell the model what the tool does';
  }
  if (!isObjectSchema(parameters)) {
    return '"parameters" must be a JSON Schema with "type": "object"';
  }
  return typeof run === 'function' ? null : '"run" must be a function';
}

function isObjectSchema(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'type' in value && value.type === 'object';
}

/**
 * Checks a tool where it is written. A module of an agent exports the result as `tool` or as its
 * default.
 * @throws TypeError that names the field at fault
 */
export function defineTool<Arguments = ToolArguments>(tool: Tool<Arguments>): Tool<Arguments> {
  const problem = toolProblem(tool);
  if (problem !== null) throw new TypeError(`defineTool: ${problem}`);
  return tool;
}
