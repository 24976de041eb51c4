/** What clients and the disk asked of the broker in the events that are being handled. */

import type { CoreEvent } from '../../core/broker/state-machine/context/effects.ts';
import type { LeaseToken, Settlement } from '../../core/protocol/index.ts';

type RequestEvent = Extract<CoreEvent, { type: 'request' }>;

export class Asked {
  readonly settles: { readonly session: string; readonly item: Settlement }[] = [];
  readonly resumed: { readonly session: string; readonly tokens: readonly LeaseToken[] }[] = [];
  readonly enqueued = new Set<string>();
  /** Those of them that came while there was room: the disk may have become full behind them. */
  readonly enqueuedInTime = new Set<string>();
  readonly cancelled = new Set<string>();
  readonly retried = new Set<string>();
  /** Sessions that said goodbye. */
  readonly leaving = new Set<string>();
  /** Jobs whose bytes the disk did not give. */
  readonly unreadable = new Set<string>();
  /** Jobs that could not be read just then. */
  readonly unread = new Set<string>();
  isCompaction = false;

  /** `session` is that of the connection, if it is known. */
  note(event: CoreEvent, session: string | undefined, diskFull: boolean): void {
    if (event.type === 'rewriteSmallState') this.isCompaction = true;
    if (event.type === 'unreadable') for (const { id } of event.tokens) this.unreadable.add(id);
    if (event.type === 'unread') for (const { id } of event.tokens) this.unread.add(id);
    if (event.type === 'enqueue') {
      for (const checked of event.jobs) {
        if (!checked.ok) continue;
        this.enqueued.add(checked.job.id);
        if (!diskFull) this.enqueuedInTime.add(checked.job.id);
      }
    }
    if (event.type === 'request' && session !== undefined) this.#noteRequest(event, session);
  }

  #noteRequest({ request }: RequestEvent, session: string): void {
    const { name, fields } = request;
    if (name === 'Settle') for (const item of fields.items) this.settles.push({ session, item });
    if (name === 'Resume') this.resumed.push({ session, tokens: fields.tokens });
    if (name === 'Goodbye') this.leaving.add(session);
    if (name === 'Cancel') for (const id of fields.ids) this.cancelled.add(id);
    if (name === 'Retry') for (const id of fields.ids) this.retried.add(id);
  }
}
