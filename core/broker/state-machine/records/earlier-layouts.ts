/** Layouts of records that earlier builds wrote: read, never written. */

import { fieldsCodec } from '../../../protocol/index.ts';
import { leaseKinds } from './lease-records.ts';
import { snapshotKinds } from './snapshot-record.ts';

const { output: _o, prompts: _p, ...leaseEnded } = leaseKinds.leaseEnded.fields;
const { output: _s, written: _w, prompts: _q, ...snapshot } = snapshotKinds.snapshot.fields;

/** By their number on disk; they had no files. */
export const earlierLayouts = {
  4: { kind: 'leaseEnded', codec: fieldsCodec(leaseEnded), added: { output: null, prompts: null } },
  22: {
    kind: 'snapshot',
    codec: fieldsCodec(snapshot),
    added: { output: null, written: true, prompts: null },
  },
} as const;
