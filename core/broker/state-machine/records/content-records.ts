/** Records of blobs and of journal entries. */

import { valueType } from '../../../protocol/index.ts';
import { journalOf, type Meanings, RecordCodec } from './family.ts';
import { chargeField, moneyKinds } from './money-records.ts';

export const contentKinds = {
  /** A chunk of a blob; chunks are logged in order from 0. */
  blobChunk: {
    number: 18,
    /** `chunkBytes` is the length of the chunk; a summary leaves the chunk itself out. */
    fields: { sha256: 'bytes', totalBytes: 'u53', at: 'u53', chunkBytes: 'u32', chunk: 'bytes' },
  },
  /** All chunks are stored and the hash matches: jobs may refer to it. */
  blobStored: { number: 19, fields: { sha256: 'bytes', totalBytes: 'u53', atMs: 'u53' } },
  blobDropped: { number: 20, fields: { sha256: 'bytes' } },
  /** An entry of a job's journal: written once, never changed. The charge of its call counts with it. */
  journaled: {
    number: 39,
    /** `inlineBytes` is the length of an inline value; a summary leaves the value itself out. */
    fields: {
      id: 'id',
      callHash: 'bytes',
      value: valueType,
      inlineBytes: 'u32',
      /** Compaction leaves it out: it has counted. */
      charge: { optional: chargeField },
      atMs: 'u53',
    },
  },
} as const;

const codec = new RecordCodec(contentKinds);
const moneyCodec = new RecordCodec(moneyKinds);
const noBytes = new Uint8Array(0);

export const contentMeanings: Meanings<typeof contentKinds> = {
  blobChunk: {
    summarize(summary, record, { offset }) {
      const bytes = codec.encode({ ...record, chunk: noBytes });
      summary.keep(blobOf(record.sha256), `chunk ${record.at}`, { offset, bytes });
    },
  },
  blobStored: {
    summarize: (summary, { sha256, kind }, place) => summary.keep(blobOf(sha256), kind, place),
  },
  blobDropped: {
    summarize(summary, { sha256, kind }, place) {
      summary.drop(blobOf(sha256));
      summary.keep(blobOf(sha256), kind, place);
    },
  },
  journaled: {
    summarize(summary, record, { offset }) {
      const value = { inline: null, blob: record.value.blob };
      const bytes = codec.encode({ ...record, value, charge: null });
      summary.keep(journalOf(record.id), textOf(record.callHash), { offset, bytes });
      const { charge, atMs } = record;
      // Counts also when the job is over and has no journal.
      if (charge === null) return;
      const charged = moneyCodec.encode({ kind: 'charged', charges: [charge], atMs });
      summary.keep('money', `charged ${offset}`, { offset, bytes: charged });
    },
  },
};

function blobOf(sha256: Uint8Array): string {
  return `blob ${textOf(sha256)}`;
}

function textOf(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}
