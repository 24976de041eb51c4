/** Layouts of records that earlier builds wrote: read, never written. */

import { fieldsCodec } from '../../../protocol/index.ts';
import { contentKinds } from './content-records.ts';
import type { RecordsOf } from './family.ts';
import { jobKinds } from './job-records.ts';
import { leaseKinds } from './lease-records.ts';
import { snapshotKinds } from './snapshot-record.ts';

const { output: _o, prompts: _p, ...leaseEnded } = leaseKinds.leaseEnded.fields;
const { output: _s, written: _w, prompts: _q, ...snapshot } = snapshotKinds.snapshot.fields;
const { charge: _c, ...journaled } = contentKinds.journaled.fields;
const { batch: _b, ...accepted } = jobKinds.accepted.fields;
const acceptedCodec = fieldsCodec(accepted);
const journaledCodec = fieldsCodec(journaled);
const leaseEndedCodec = fieldsCodec(leaseEnded);
const snapshotCodec = fieldsCodec(snapshot);
const deliveredCodec = fieldsCodec({
  id: 'id',
  epoch: 'u53',
  delivery: 'u32',
  session: 'id',
  isolated: 'bool',
  atMs: 'u53',
});

type Earlier = RecordsOf<
  typeof leaseKinds & typeof snapshotKinds & typeof contentKinds & typeof jobKinds
>['delivered' | 'journaled' | 'accepted' | 'leaseEnded' | 'snapshot'];

interface EarlierLayout {
  readonly kind: Earlier['kind'];
  /** Reads the bytes behind the number. */
  readonly read: (fields: Uint8Array) => Earlier;
}

/** By their number on disk. */
export const earlierLayouts: ReadonlyMap<number, EarlierLayout> = new Map([
  [3, { kind: 'delivered', read: readDelivered }],
  [4, { kind: 'leaseEnded', read: readLeaseEnded }],
  [21, { kind: 'journaled', read: readJournaled }],
  [22, { kind: 'snapshot', read: readSnapshot }],
  [23, { kind: 'accepted', read: readAccepted }],
]);

/** One lease was granted. */
function readDelivered(fields: Uint8Array): Earlier {
  const { id, delivery, isolated, epoch, session, atMs } = deliveredCodec.decode(fields);
  const jobs = [{ id, delivery, isolated, session: 0 }];
  return { kind: 'delivered', epoch, atMs, sessions: [session], jobs };
}

/** There were no files. */
function readLeaseEnded(fields: Uint8Array): Earlier {
  return { ...leaseEndedCodec.decode(fields), kind: 'leaseEnded', output: null, prompts: null };
}

/** No charge came with it. */
function readJournaled(fields: Uint8Array): Earlier {
  return { ...journaledCodec.decode(fields), kind: 'journaled', charge: null };
}

/** No job was in a batch. */
function readAccepted(fields: Uint8Array): Earlier {
  return { ...acceptedCodec.decode(fields), kind: 'accepted', batch: '' };
}

function readSnapshot(fields: Uint8Array): Earlier {
  const none = { output: null, written: true, prompts: null };
  return { ...snapshotCodec.decode(fields), kind: 'snapshot', ...none };
}
