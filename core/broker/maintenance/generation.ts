/**
 * Epochs of a log that replaces another one. Lease tokens of the lost log must never match in the new
 * one. They carry an epoch, incremented at each start; a new log begins in the next generation of
 * epochs, far above any that the lost log can have reached.
 */

import { encodeRecord, type LogRecord } from '../state-machine/records/records.ts';
import { MaintenanceError } from './maintenance-error.ts';

/** Epochs of one generation: more than starts of a broker. */
const generationEpochs = 2 ** 32;

/** Finds the highest epoch and acceptance number in the records of a log. */
export class GenerationWatch {
  #epoch = 0;
  #seq = 0;

  see(record: LogRecord): void {
    if (record.kind === 'epochStarted') this.#raise(record.epoch, record.seqHighest);
    if (record.kind === 'delivered') this.#raise(record.epoch, 0);
    if (record.kind === 'snapshot') this.#raise(record.leaseEpoch, record.seq);
    if (record.kind === 'enqueued') for (const { seq } of record.jobs) this.#raise(0, seq);
    if (record.kind === 'leaseEnded') for (const { seq } of record.enqueue) this.#raise(0, seq);
  }

  /**
   * The first epoch of the generation after all epochs seen.
   * @throws MaintenanceError when there is none
   */
  get nextEpoch(): number {
    const next = (Math.floor(this.#epoch / generationEpochs) + 1) * generationEpochs;
    if (Number.isSafeInteger(next + generationEpochs)) return next;
    throw new MaintenanceError(`the log's epoch ${this.#epoch} is too high for a new generation`);
  }

  /** The record that begins the next generation. */
  nextRecord(atMs: number): Uint8Array {
    const { nextEpoch: epoch } = this;
    return encodeRecord({ kind: 'epochStarted', epoch, seqHighest: this.#seq, atMs });
  }

  #raise(epoch: number, seq: number): void {
    this.#epoch = Math.max(this.#epoch, epoch);
    this.#seq = Math.max(this.#seq, seq);
  }
}
