/**
 * The first client of a broker that came up: asks for all that it knows, before anything else
 * happens, so that it can be held against the reference.
 */

import type { JobInfo, Message } from '../../../core/protocol/index.ts';
import type { Life } from '../life.ts';
import { turn } from '../turn.ts';
import type { World } from '../world.ts';
import { type Answer, Client } from './client.ts';

const pageRows = 1_000;
/** Steps in which an undisturbed broker answers. */
const patience = 20_000;

export class Probe extends Client {
  readonly #world: World;
  readonly #life: Life;
  readonly #infos: JobInfo[] = [];
  #stats: Message<'StatsOk'> | null = null;
  #isDone = false;

  constructor(world: World, life: Life) {
    super(world);
    this.#world = world;
    this.#life = life;
  }

  /** Asks, and lets only what that needs happen. A disk that fails meanwhile ends it. */
  async compare(): Promise<void> {
    const { faults } = this.#life.disk;
    const { failedRead } = faults;
    // What cannot be read is told as empty or refused, which is no loss.
    this.#world.medium.exhausted = null;
    faults.failedRead = 0;
    this.connect();
    for (let step = 0; step < patience && !this.#isDone; step++) {
      if (this.#life.phase !== 'serving') break;
      await this.#advance();
    }
    faults.failedRead = failedRead;
    const { phase } = this.#life;
    if (this.#isDone) this.#world.compared(this.#infos, this.#stats);
    else if (phase === 'serving') this.#world.violate('the broker does not answer after its start');
    this.disconnect();
  }

  async #advance(): Promise<void> {
    const { disk, scheduler } = this.#life;
    const { wire } = this;
    const event = wire === null ? undefined : this.#world.net.takeForBroker(wire);
    if (event !== undefined) {
      // What is due happens first: an answer is made before the tick of its own event.
      this.#life.handle([]);
      this.#life.handle([event]);
    } else if (wire !== null && wire.toClient.length > 0) this.#world.net.deliverToClient(wire);
    else if (disk.pendingCount > 0) disk.completeOne();
    else if (scheduler.hasRound) scheduler.endRound();
    else {
      this.#world.clock.advance(1);
      scheduler.fireDue();
    }
    await turn();
  }

  protected override get mayBeSlow(): boolean {
    return false;
  }

  protected override onGreeted(): void {
    this.request('Stats', { queues: [...this.stage.swarm.queues] }, (answer) => {
      if (answer?.name === 'StatsOk') this.#stats = answer.fields as Message<'StatsOk'>;
    });
    this.#page(0);
  }

  #page(before: number): void {
    const fields = { queue: null, state: null, before, limit: pageRows };
    this.request('List', fields, (answer) => this.#listed(answer));
  }

  #listed(answer: Answer): void {
    if (answer?.name !== 'ListOk') return;
    const { jobs, next } = answer.fields as Message<'ListOk'>;
    this.#infos.push(...jobs);
    if (next > 0) this.#page(next);
    else this.#isDone = true;
  }
}
