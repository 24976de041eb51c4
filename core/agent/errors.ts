/** Failures of naming or loading an agent. */

import { formatFinding, listOf, suggestion } from '../yaml/index.ts';
import type { Problem } from './agent.ts';

/** No folder of that name in any agent path. */
export class UnknownAgentError extends Error {
  /** The name that was asked for. Not called `name`, which every Error has. */
  readonly agent: string;
  readonly suggestions: readonly string[];
  readonly available: readonly string[];

  constructor(agent: string, suggestions: readonly string[], available: readonly string[]) {
    const known = available.length > 0 ? listOf(available) : 'none; make agents/<name>/agent.yaml';
    super(`unknown agent "${agent}".${suggestion(agent, suggestions)}\nAgents: ${known}`);
    this.name = 'UnknownAgentError';
    this.agent = agent;
    this.suggestions = suggestions;
    this.available = available;
  }
}

/** The folder is there, but its files cannot be used. */
export class BrokenAgentError extends Error {
  readonly agent: string;
  readonly problems: readonly Problem[];

  constructor(agent: string, problems: readonly Problem[]) {
    const lines = problems.map(formatFinding);
    super(lines.length === 1 ? lines.join() : [`agent "${agent}" is broken`, ...lines].join('\n'));
    this.name = 'BrokenAgentError';
    this.agent = agent;
    this.problems = problems;
  }
}
