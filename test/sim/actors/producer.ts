/** A producer: sends jobs, alone and in batches, and sends again what was not answered. */

import { errorCodes, type Message } from '../../../core/protocol/index.ts';
import type { Actor } from '../stage.ts';
import { type Answer, Client } from './client.ts';

interface Batch {
  readonly jobs: readonly Uint8Array[];
  readonly atomic: boolean;
  repeated: boolean;
}

/** Requests without an answer that a producer has at most. */
const openMax = 8;

export class Producer extends Client implements Actor {
  /** Batches whose answer was lost: the very same bytes again. */
  readonly #unanswered: Batch[] = [];

  act(): void {
    const { dice, isCalm, swarm } = this.stage;
    if (this.wire === null) {
      this.connect();
      return;
    }
    if (!this.isReady || this.openRequests >= openMax) return;
    const again = this.#unanswered.shift();
    if (again !== undefined) this.#send({ ...again, repeated: true });
    else if (!isCalm && dice.chance(0.02)) this.disconnect();
    else if (!isCalm && swarm.features.has('blobs') && dice.chance(0.15)) this.#putBlob();
    else if (!isCalm) this.#sendNew();
  }

  protected override onGreeted(): void {
    return;
  }

  #sendNew(): void {
    const { dice, catalog } = this.stage;
    const count = dice.chance(0.7) ? 1 : dice.between(2, 6);
    const jobs = Array.from({ length: count }, () => this.#oldOrNew());
    this.#send({ jobs, atomic: catalog.has('atomic') && dice.chance(0.4), repeated: false });
  }

  #oldOrNew(): Uint8Array {
    const { dice, catalog } = this.stage;
    const known = catalog.jobs.length > 0 && dice.chance(0.1) ? dice.pick(catalog.jobs) : null;
    return (known ?? catalog.newJob()).bytes;
  }

  #send(batch: Batch): void {
    this.enqueue(batch.jobs, batch.atomic, (answer) => this.#answered(batch, answer));
  }

  #answered(batch: Batch, answer: Answer): void {
    if (answer === null) {
      if (this.#unanswered.length < openMax) this.#unanswered.push(batch);
      return;
    }
    if (answer.name !== 'EnqueueOk') return;
    const { items } = answer.fields as Message<'EnqueueOk'>;
    const { reach } = this.stage;
    if (batch.repeated) reach.reach('enqueue repeated after its answer was lost');
    const isRefused = items.some(({ outcome }) => outcome === 'refused');
    if (batch.atomic && batch.jobs.length > 1) {
      reach.reach(isRefused ? 'atomic batch refused for one of its jobs' : 'atomic batch accepted');
    }
    for (const { outcome, code } of items) {
      if (outcome === 'created') reach.reach('enqueue created a job');
      if (outcome === 'exists') reach.reach('enqueue found the same job');
      if (code === errorCodes.CONFLICT.number) {
        reach.reach('enqueue met another job of that id');
      }
      if (code === errorCodes.QUEUE_FULL.number) {
        reach.reach('queue refused a job for its own limit');
      }
      if (code === errorCodes.DISK_FULL.number) reach.reach('disk full: jobs refused');
    }
  }

  /** Chunk by chunk, from where the broker says that it is. */
  #putBlob(): void {
    const { dice, catalog } = this.stage;
    const blob = catalog.blobs.length > 0 && dice.chance(0.2) ? dice.pick(catalog.blobs) : null;
    const { ref, content } = blob ?? catalog.newBlob();
    const put = (offset: number): void => {
      if (!this.isReady) return;
      const chunk = content.subarray(offset, offset + dice.between(1, 2_000));
      this.request('BlobPut', { ...ref, offset, chunk }, (answer) => {
        if (answer?.name !== 'BlobPutOk') return;
        const { storedBytes, complete } = answer.fields as Message<'BlobPutOk'>;
        if (!complete) {
          put(storedBytes);
          return;
        }
        this.stage.reach.reach('blob stored');
        catalog.blobs.push({ ref, content });
      });
    };
    put(0);
  }
}
