/** What the runs of one thread share: agents compiled once, one caller per provider. */

import { isAbsolute } from 'node:path';
import { type Agent, compileAgent, schemaChecker } from '../../../agent/index.ts';
import { createCaller, type ModelCaller, type Provider } from '../../../model/index.ts';
import { loadTools, openKnowledge } from '../../../tools/index.ts';
import { OutputViews } from '../../outputs/views.ts';
import type { Services } from '../../pool/questions.ts';
import type { ThreadAgent, ThreadData } from '../../pool/thread-messages.ts';
import type { JobTools, ReadyAgent } from '../attempt.ts';
import { AttemptError } from '../failure.ts';
import type { ToolSet } from './tool-calls.ts';

export interface Toolbox {
  /** Loads what every run needs, before the first one asks. */
  warm(): void;
  /** Runs that begin from now on find these agents. */
  adopt(agents: readonly ThreadAgent[]): void;
  /** The tools for one run, which is named while its code may block the thread. */
  forRun(run: number, services: Services): JobTools;
}

export function createToolbox(data: ThreadData): Toolbox {
  const activeRun = new Int32Array(data.activeRun);
  let known = byName(data.agents);
  const agents = new Map<string, Promise<ReadyAgent>>();
  const views = new OutputViews();
  const callers = new Map<string, Promise<ModelCaller>>();

  // By all that it is: the same name may stand for another key or address later.
  const callerOf = (provider: Provider): Promise<ModelCaller> =>
    remembered(callers, JSON.stringify(provider), () => createCaller(provider));
  const ready = async (chosen: ThreadAgent): Promise<ReadyAgent> => {
    const { agent, provider } = chosen;
    const [compiled, caller, toolSet] = await Promise.all([
      compileAgent(agent),
      callerOf(provider),
      toolSetOf(agent, data.baseDir),
    ]);
    return { ...chosen, compiled, caller, toolSet };
  };

  return {
    warm() {
      for (const { provider } of data.agents) void callerOf(provider);
    },
    adopt(changed) {
      known = byName(changed);
      agents.clear();
    },
    forRun: (run, services) => ({
      journal: services.journal,
      money: services.money,
      outputs: views.of(services.outputs),
      idleMs: data.idleMs,
      answerBytesMax: data.answerBytesMax,
      async agent(name) {
        const entry = known.get(name);
        return entry === undefined ? null : remembered(agents, name, () => ready(entry));
      },
      outputDir(dir) {
        const path = dir ?? data.outputDir;
        const isAllowed = path === data.outputDir || (data.jobOutputDirs && isAbsolute(path));
        if (!isAllowed) throw foreignFolder(path, data.jobOutputDirs);
        return path;
      },
      blocking(work) {
        Atomics.store(activeRun, 0, run);
        try {
          return work();
        } finally {
          Atomics.store(activeRun, 0, 0);
        }
      },
    }),
  };
}

function byName(agents: readonly ThreadAgent[]): Map<string, ThreadAgent> {
  return new Map(agents.map((entry) => [entry.agent.name, entry]));
}

async function toolSetOf(agent: Agent, baseDir: string): Promise<ToolSet | null> {
  if (agent.tools.length === 0) return null;
  const tools = await Promise.all(
    (await loadTools(agent)).map(async (tool, index) => ({
      tool,
      check: await schemaChecker(tool.parameters),
      // Those that come with aiq stand there by their names, modules by their paths.
      isOwn: agent.tools[index] !== tool.name,
    })),
  );
  return { tools, openKnowledge: () => openKnowledge(agent.knowledge, baseDir), baseDir };
}

function foreignFolder(path: string, allowed: boolean): AttemptError {
  const why = allowed ? 'which is not absolute' : 'and this consumer accepts no other than its own';
  const message = `the job names the output folder ${JSON.stringify(path)}, ${why}`;
  return new AttemptError('permanent', 'output_dir_refused', message);
}

/** Makes a thing once per key; a failure is not remembered. */
function remembered<T>(
  made: Map<string, Promise<T>>,
  key: string,
  make: () => Promise<T>,
): Promise<T> {
  const before = made.get(key);
  if (before !== undefined) return before;
  const making = make();
  made.set(key, making);
  making.catch(() => made.delete(key));
  return making;
}
