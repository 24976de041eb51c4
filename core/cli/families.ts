/**
 * The commands in families, in the order of the help of aiq: what that says of each, and how it is
 * loaded. A command needs its own family alone, and that help none.
 */

import type { Command } from 'commander';
import type { Overrides } from '../config/index.ts';
import { helpTopics } from './commands/help-topics.ts';
import type { RunAction, Session } from './session.ts';

/** What a family adds itself to. */
interface Adding {
  readonly root: Command;
  readonly current: (overrides?: Overrides) => Session;
  readonly run: RunAction;
}

export interface Family {
  /** Name, alias and arguments as the help of aiq lists them. */
  readonly term: string;
  readonly summary: string;
  readonly load: () => Promise<(adding: Adding) => void>;
}

export const families: Readonly<Record<string, Family>> = {
  enqueue: {
    term: 'enqueue|add [options] <agent> [inputs...]',
    summary: 'Add one or more jobs to the queue of an agent; prints their ids.',
    load: async () => {
      const { addEnqueue } = await import('./commands/enqueue/enqueue.ts');
      return ({ root, current, run }) => addEnqueue(root, current, run);
    },
  },
  run: {
    term: 'run [options]',
    summary: 'Process the queued jobs of all agents, or of some, until stopped.',
    load: async () => {
      const { addRun } = await import('./commands/run.ts');
      return ({ root, run }) => addRun(root, run);
    },
  },
  tail: {
    term: 'tail [options] [job]',
    summary: 'Print state changes of jobs as they happen, until Ctrl-C or the end of one job.',
    load: async () => {
      const { addTail } = await import('./commands/tail.ts');
      return ({ root, run }) => addTail(root, run);
    },
  },
  demo: {
    term: 'demo [options]',
    summary: 'Summarize example texts through a temporary broker, without a key or a network.',
    load: async () => {
      const { addDemo } = await import('./commands/demo.ts');
      return ({ root, run }) => addDemo(root, run);
    },
  },
  init: {
    term: 'init [dir]',
    summary: 'Set up a folder: configuration, an example agent, a sample text.',
    load: async () => {
      const { addInit } = await import('./commands/init.ts');
      return ({ root, run }) => addInit(root, run);
    },
  },
  jobs: {
    term: 'jobs',
    summary: 'List, search, show, wait for, cancel and retry jobs.',
    load: async () => {
      const { addJobs } = await import('./commands/jobs/index.ts');
      return ({ root, run }) => addJobs(root, run);
    },
  },
  dead: {
    term: 'dead',
    summary: 'List, show and retry dead jobs: short for commands of aiq jobs.',
    load: async () => {
      const { addDead } = await import('./commands/dead.ts');
      return ({ root, run }) => addDead(root, run);
    },
  },
  outputs: {
    term: 'outputs',
    summary: 'Show what is still to be written, and write files of results again.',
    load: async () => {
      const { addOutputs } = await import('./commands/outputs/index.ts');
      return ({ root, run }) => addOutputs(root, run);
    },
  },
  queues: {
    term: 'queues',
    summary: 'List, show, pause, limit and purge queues.',
    load: async () => {
      const { addQueues } = await import('./commands/queues/index.ts');
      return ({ root, run }) => addQueues(root, run);
    },
  },
  signal: {
    term: 'signal <key>',
    summary: 'Make all jobs ready that are parked on a key.',
    load: async () => {
      const { addSignal } = await import('./commands/signal.ts');
      return ({ root, run }) => addSignal(root, run);
    },
  },
  agents: {
    term: 'agents',
    summary: 'List, show, validate and create agents.',
    load: async () => {
      const { addAgents } = await import('./commands/agents/index.ts');
      return ({ root, current, run }) => addAgents(root, current, run);
    },
  },
  broker: {
    term: 'broker',
    summary: 'Start, inspect and stop a broker, and maintain its log.',
    load: async () => {
      const { addBroker } = await import('./commands/broker/index.ts');
      return ({ root, run }) => addBroker(root, run);
    },
  },
  config: {
    term: 'config',
    summary: 'Show the configuration.',
    load: async () => {
      const { addConfig } = await import('./commands/config/index.ts');
      return ({ root, run }) => addConfig(root, run);
    },
  },
  budgets: {
    term: 'budgets',
    summary: 'List, show, set, raise, settle and remove budgets of model calls.',
    load: async () => {
      const { addBudgets } = await import('./commands/budgets/index.ts');
      return ({ root, run }) => addBudgets(root, run);
    },
  },
  batches: {
    term: 'batches',
    summary: 'List batches of jobs, and go on with one that was stopped.',
    load: async () => {
      const { addBatches } = await import('./commands/batches/index.ts');
      return ({ root, run }) => addBatches(root, run);
    },
  },
  costs: {
    term: 'costs [options]',
    summary: 'Show what model calls cost, by agent, model, batch or day.',
    load: async () => {
      const { addCosts } = await import('./commands/costs/costs.ts');
      return ({ root, run }) => addCosts(root, run);
    },
  },
  prices: {
    term: 'prices [model...]',
    summary: 'Show what models cost here, and by whose word.',
    load: async () => {
      const { addPrices } = await import('./commands/prices/prices.ts');
      return ({ root, run }) => addPrices(root, run);
    },
  },
  doctor: {
    term: 'doctor',
    summary: 'Check everything that aiq needs here; problems come with a fix.',
    load: async () => {
      const { addDoctor } = await import('./commands/doctor/doctor.ts');
      return ({ root, run }) => addDoctor(root, run);
    },
  },
  trust: {
    term: 'trust [options]',
    summary: 'Allow this folder to use your keys and to run its own code.',
    load: async () => {
      const { addTrust } = await import('./commands/trust.ts');
      return ({ root, run }) => addTrust(root, run);
    },
  },
  completion: {
    term: 'completion <shell>',
    summary: 'Print the completion script of a shell.',
    load: async () => {
      const { addCompletion } = await import('./commands/completion/completion.ts');
      return ({ root, run }) => addCompletion(root, run);
    },
  },
  help: {
    term: 'help [topic...]',
    summary: `Show help for a command or a topic: ${Object.keys(helpTopics).join(', ')}.`,
    load: async () => {
      const { addHelp } = await import('./commands/help.ts');
      return ({ root }) => addHelp(root);
    },
  },
};
