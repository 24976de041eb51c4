/** An operator: cancels, pauses, purges, retries, signals and looks at jobs, at the wrong moments too. */

import { errorCodes, type Message } from '../../../core/protocol/index.ts';
import type { Actor } from '../stage.ts';
import { Client } from './client.ts';

const openMax = 6;

export class Operator extends Client implements Actor {
  readonly #paused = new Set<string>();
  #calmSteps = 0;

  act(): void {
    if (this.wire === null) {
      this.connect();
      return;
    }
    if (!this.isReady || this.openRequests >= openMax) return;
    if (this.stage.isCalm) this.#calmDown();
    else this.#operate();
  }

  protected override onGreeted(): void {
    return;
  }

  /** Nothing may stay paused, parked or limited. */
  #calmDown(): void {
    const { swarm, catalog } = this.stage;
    const turn = this.#calmSteps++ % 40;
    const queue = swarm.queues[turn];
    if (queue !== undefined) this.request('Unpause', { queue });
    const key = catalog.parkKeys[turn - 10];
    if (key !== undefined) this.request('Signal', { key });
    if (turn === 20 && catalog.has('money')) this.#freeBudgets();
    const name = catalog.batchNames[turn - 30];
    if (name !== undefined && catalog.has('batches')) this.#freeBatch(name);
  }

  #operate(): void {
    const { dice, catalog } = this.stage;
    const when = (feature: Parameters<typeof catalog.has>[0], weight: number): number =>
      catalog.has(feature) ? weight : 0;
    switch (
      dice.weighted({
        cancel: 5,
        retry: 4,
        pause: when('pauses', 4),
        bulk: when('bulk', 3),
        signal: when('parking', 4),
        limit: when('limits', 2),
        budget: when('money', 6),
        batch: when('batches', 3),
        look: 6,
        drop: 0.3,
      })
    ) {
      case 'cancel':
        this.request('Cancel', { ids: [catalog.someId()] });
        break;
      case 'retry':
        this.request('Retry', { ids: [catalog.someId(), catalog.someId()] });
        break;
      case 'pause':
        this.#pause();
        break;
      case 'bulk':
        this.#bulk();
        break;
      case 'signal':
        this.request('Signal', { key: dice.pick(catalog.parkKeys) });
        break;
      case 'limit':
        this.#limit();
        break;
      case 'batch':
        this.#batch();
        break;
      case 'budget':
        this.#budget();
        break;
      case 'look':
        this.#look();
        break;
      case 'drop':
        this.disconnect();
        break;
      case null:
        break;
    }
  }

  #pause(): void {
    const { dice, swarm } = this.stage;
    const queue = dice.pick(swarm.queues);
    if (this.#paused.has(queue)) {
      // A pause often lasts: until the log was compacted, or the broker started again.
      if (dice.chance(0.7)) return;
      this.#paused.delete(queue);
      this.request('Unpause', { queue });
    } else {
      this.#paused.add(queue);
      this.request('Pause', { queue });
    }
  }

  #bulk(): void {
    const { dice, swarm, reach } = this.stage;
    const queue = dice.chance(0.5) ? dice.pick(swarm.queues) : null;
    const errorCode = dice.chance(0.3) ? `code-${dice.below(3)}` : null;
    if (dice.chance(0.2)) {
      this.request('Purge', { queue: dice.pick(swarm.queues) }, (answer) => {
        if (answer?.name === 'BulkOk') reach.reach('queue purged');
      });
      return;
    }
    this.request('RetryDead', { queue, errorCode }, (answer) => {
      if (answer?.name !== 'BulkOk') return;
      const { bulk } = answer.fields as Message<'BulkOk'>;
      reach.reach('dead jobs retried in bulk');
      if (this.isReady && bulk > 0) this.request('Bulk', { bulk });
    });
  }

  #limit(): void {
    const { dice, swarm, catalog } = this.stage;
    const keeps = catalog.has('retention') && dice.chance(0.5);
    this.request('ConfigureQueue', {
      queue: dice.pick(swarm.queues),
      jobsMax: dice.chance(0.5) ? dice.between(1, 30) : 0,
      bytesMax: dice.chance(0.3) ? dice.between(500, 20_000) : 0,
      keepMs: keeps ? dice.between(1, 2_000) : 0,
      keepJobs: keeps ? dice.between(1, 10) : 0,
    });
  }

  /** Nothing that fails stops it any more. */
  #freeBatch(name: string): void {
    this.request('OpenBatch', { name, stopRule: 'never' });
    this.request('ResumeBatch', { name });
  }

  #batch(): void {
    const { dice, catalog } = this.stage;
    const name = dice.pick(catalog.batchNames);
    const stopRule = dice.pick(['0', '2', 'failures > 10%', '', 'never']);
    const turn = dice.below(4);
    if (turn === 0) this.request('OpenBatch', { name: dice.chance(0.2) ? '' : name, stopRule });
    else if (turn === 1) this.request('ResumeBatch', { name });
    else if (turn === 2) this.request('OpenBatch', { name, stopRule: '1' });
    else this.request('Batches', { after: 0, limit: 100 });
  }

  /** Calls must not wait for money any more. */
  #freeBudgets(): void {
    this.request('RaiseBudget', { name: 'cap', amountMicros: 2 ** 50 });
    this.request('RemoveBudgets', { names: ['daily', 'one.maxCost'] });
  }

  #budget(): void {
    const { dice, reach } = this.stage;
    const terms = {
      currency: 'USD',
      timeZone: 'UTC',
      agent: null,
      model: null,
      tag: null,
      batch: null,
    };
    const cap = { ...terms, name: 'cap', amountMicros: 150, per: 'all' } as const;
    switch (dice.below(5)) {
      case 0:
        this.request('SetBudgets', { mode: 'declare', budgets: [cap] });
        break;
      case 1: {
        const daily = { ...terms, name: 'daily', amountMicros: dice.pick([90, 900]) };
        const of = { ...terms, name: 'one.maxCost', amountMicros: 50, agent: 'one' };
        const budgets = [{ ...daily, per: 'day' } as const, { ...of, per: 'job' } as const];
        this.request('SetBudgets', { mode: dice.pick(['declare', 'set']), budgets });
        break;
      }
      case 2:
        this.request(
          'RaiseBudget',
          { name: 'cap', amountMicros: dice.between(150, 900) },
          (answer) => {
            if (answer?.name === 'Ok') reach.reach('budget raised');
          },
        );
        break;
      case 3:
        this.request('Budgets', {});
        this.request('Costs', { dayMin: 0, dayMax: 999_999, after: 0, limit: 1_000 });
        break;
      default:
        if (dice.chance(0.1)) this.request('RemoveBudgets', { names: ['daily'] });
    }
  }

  #look(): void {
    const { dice, swarm, catalog, reach } = this.stage;
    const id = catalog.someId();
    switch (dice.below(7)) {
      case 0:
        this.request('Inspect', { idPrefix: id, withJob: dice.chance(0.5) });
        break;
      case 1:
        this.request('List', { queue: null, state: null, before: 0, limit: 20 });
        break;
      case 2:
        this.request('Stats', { queues: [...swarm.queues] });
        break;
      case 3:
        this.request('Wait', { id });
        break;
      case 4:
        this.request('Watch', { queues: dice.chance(0.5) ? [] : [dice.pick(swarm.queues)] });
        break;
      case 5:
        this.#readBlob();
        break;
      default:
        this.request('Result', { id }, (answer) => {
          if (answer?.name === 'ResultOk') reach.reach('result read');
        });
    }
  }

  /** What is stored is what was sent. */
  #readBlob(): void {
    const { dice, catalog } = this.stage;
    if (catalog.blobs.length === 0) return;
    const { ref, content } = dice.pick(catalog.blobs);
    const offset = dice.below(content.length);
    const fields = { sha256: ref.sha256, offset, bytesMax: dice.between(1, 2_000) };
    // What was unreadable when it was read may be healed by the time that the answer is here.
    const { rots, isReadable } = this.stage;
    this.request('BlobGet', fields, (answer) => {
      if (answer === null) return;
      if (answer.name === 'BlobData') {
        const { chunk } = answer.fields as Message<'BlobData'>;
        const expected = content.subarray(offset, offset + chunk.length);
        if (Buffer.compare(chunk, expected) !== 0) {
          this.stage.violate(`blob data at ${offset} is not what was stored`);
        }
      } else if (
        isReadable &&
        rots === this.stage.rots &&
        !isAbsence(answer.fields as Message<'Error'>)
      ) {
        this.stage.violate(`reading a blob was answered with ${JSON.stringify(answer.fields)}`);
      }
    });
  }
}

/** The blob is not there any more, or the disk did not give it this time. */
function isAbsence({ code }: Message<'Error'>): boolean {
  return code === errorCodes.NO_BLOB.number || code === errorCodes.LOG_UNREAD.number;
}
