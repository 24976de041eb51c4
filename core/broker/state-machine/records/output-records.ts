/** Records of files of results: what became of them after the settle that made them real. */

import type { Output, Value } from '../../../protocol/index.ts';
import { type Meanings, RecordCodec, type RecordsOf } from './family.ts';
import { bytesOfValue, shortValue } from './job-records.ts';

export const outputKinds = {
  /**
   * Files of jobs are in their folder, durably, or could not be written yet. One record for all jobs of
   * a frame; a note that is not empty replaces that of the job.
   */
  projected: {
    number: 32,
    fields: {
      jobs: { list: { struct: { id: 'id', written: 'bool', note: 'text' } } },
      atMs: 'u53',
    },
  },
} as const;

type Projected = RecordsOf<typeof outputKinds>['projected'];

const codec = new RecordCodec(outputKinds);

export const outputMeanings: Meanings<typeof outputKinds> = {
  projected: {
    summarize(summary, { jobs, ...record }, { offset }) {
      const keep = (job: Projected['jobs'][number], aspect: string): void =>
        summary.keep(job.id, aspect, { offset, bytes: codec.encode({ ...record, jobs: [job] }) });
      for (const job of jobs) {
        keep({ ...job, note: '' }, 'written');
        // A later record without a note leaves the note as it is.
        if (job.note !== '') keep(job, 'note');
      }
    },
    fold(jobs, record) {
      for (const { id, written, note } of record.jobs) {
        const info = jobs.get(id);
        if (info === undefined) continue;
        info.output = written ? 'written' : 'unwritten';
        if (note !== '') info.note = note;
      }
    },
  },
};

export function bytesOfOutput({ files }: Output): number {
  return files.reduce((sum, { content }) => sum + bytesOfValue(content), 0);
}

/** What the broker holds in memory of the files: their folder, and the blobs. */
export function shortOutput(output: Output | null): Output | null {
  if (output === null) return null;
  const files = output.files
    .filter(({ content }) => content.blob !== null)
    .map(({ content }) => ({ path: '', content: shortValue(content) as Value }));
  return { ...output, files, provenance: '' };
}
