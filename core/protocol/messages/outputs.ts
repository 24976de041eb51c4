/**
 * Files of results: what the broker has of them, what is still to be written, and what was.
 * Part of the table in `../messages.ts`.
 */

import { output, value } from '../structs.ts';

export const outputMessages = {
  /** What the end of a job's newest lease brought along. */
  Output: { opcode: 64, from: 'client', answer: 'OutputOk', fields: { id: 'id' } },
  OutputOk: {
    opcode: 65,
    from: 'broker',
    answer: null,
    fields: { output: { optional: output }, prompts: { optional: value } },
  },
  /** Jobs whose files are not known to be in the folder, oldest settle first. */
  Unwritten: {
    opcode: 66,
    from: 'client',
    answer: 'UnwrittenOk',
    fields: {
      dir: 'text',
      /** Continue behind this cursor; 0 starts. */ after: 'u53',
      limit: 'u32',
    },
  },
  UnwrittenOk: {
    opcode: 67,
    from: 'broker',
    answer: null,
    fields: {
      jobs: {
        list: {
          struct: { id: 'id', /** The consumer that settled it is connected. */ held: 'bool' },
        },
      },
      /** 0 when there are no more. */
      next: 'u53',
    },
  },
  /** Folders in which something is still to be written, at most a thousand. */
  Folders: { opcode: 68, from: 'client', answer: 'FoldersOk', fields: {} },
  FoldersOk: {
    opcode: 69,
    from: 'broker',
    answer: null,
    fields: { folders: { list: { struct: { dir: 'text', unwritten: 'u53' } } } },
  },
  /** Files were written and synced, or could not be written yet; a note that is not empty replaces the job's. */
  Written: {
    opcode: 70,
    from: 'client',
    answer: 'Ok',
    fields: { jobs: { list: { struct: { id: 'id', written: 'bool', note: 'text' } } } },
  },
} as const;
