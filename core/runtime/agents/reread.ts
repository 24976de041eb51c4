/** Puts into use what changed in the files of agents and of the configuration while a consumer runs. */

import type { Agent } from '../../agent/index.ts';
import type { ReloadedAgents, RuntimeOptions } from '../options.ts';
import type { ThreadAgent } from '../pool/thread-messages.ts';
import { changedAgents } from './agents.ts';
import { declareMaxCosts } from './budgets.ts';

/** A user of the agents that gets the new ones. */
interface Adopting {
  adopt(agents: readonly ThreadAgent[]): void;
}

/** Every change to the agents of a consumer goes through here. */
export class Reread {
  readonly #options: RuntimeOptions;
  readonly #agents: Map<string, ThreadAgent>;
  readonly #users: () => readonly Adopting[];
  #found: ReloadedAgents;

  constructor(
    options: RuntimeOptions,
    agents: Map<string, ThreadAgent>,
    users: () => readonly Adopting[],
  ) {
    this.#options = options;
    this.#agents = agents;
    this.#users = users;
    this.#found = options;
  }

  /** While a provider is held: configuration, keys and agents. What cannot be used stays as it was. */
  async all(): Promise<void> {
    const found = await this.#options.reload?.().catch(() => null);
    if (found != null) await this.#adopt(found).catch(() => {});
  }

  /** The agents alone. @throws when they cannot be used as they are */
  async agents(): Promise<void> {
    const agents = await this.#options.rereadAgents?.();
    if (agents !== undefined) await this.#adopt({ ...this.#found, agents });
  }

  /** Whether the agent is in use as it was last read; it cannot always be. */
  isCurrent(name: string): boolean {
    const found = this.#found.agents.find((agent) => agent.name === name);
    return found?.digest === this.#agents.get(name)?.agent.digest;
  }

  async #adopt(found: ReloadedAgents): Promise<void> {
    this.#found = found;
    const changed = await changedAgents(this.#agents, { ...this.#options, ...found });
    if (changed.size === 0) return;
    await this.#limit(changed);
    for (const [name, agent] of changed) {
      this.#agents.set(name, agent);
      const { provider, model } = agent;
      const fields = { agent: name, provider: provider.name, model };
      this.#options.log.warn(fields, 'read again: used from now on');
    }
    const agents = [...this.#agents.values()];
    for (const user of this.#users()) user.adopt(agents);
  }

  /** Another `limits.maxCost` counts before it is relied on. */
  async #limit(changed: ReadonlyMap<string, ThreadAgent>): Promise<void> {
    const agents = [...changed.values()].map(({ agent }) => agent);
    const isOther = ({ name, limits }: Agent): boolean =>
      limits.maxCost !== this.#agents.get(name)?.agent.limits.maxCost;
    const others = agents.filter(isOther);
    const { queue, budgets = [] } = this.#options;
    if (others.length > 0) await declareMaxCosts(queue, others, budgets[0]?.currency);
  }
}
