/** How much room a settlement takes in a frame. */

import type { Settlement } from '../../protocol/index.ts';

/** Bytes of a settlement apart from its texts. */
const settlementBytes = 256;

/** Upper bound: a UTF-16 unit takes at most three bytes. */
export function settlementSize(settlement: Settlement): number {
  const { errorCode, errorMessage, note, result, output, prompts, enqueue } = settlement;
  const textBytes = 3 * (errorCode.length + errorMessage.length + note.length);
  const followUps = enqueue.reduce((sum, job) => sum + job.length + 4, 0);
  const values = (result?.inline?.length ?? 0) + (prompts?.inline?.length ?? 0);
  return settlementBytes + textBytes + values + outputSize(output) + followUps;
}

function outputSize(output: Settlement['output']): number {
  if (output === null) return 0;
  const { dir, files, provenance } = output;
  const texts = 3 * (dir.length + provenance.length);
  return files.reduce(
    (sum, { path, content }) => sum + 64 + 3 * path.length + (content.inline?.length ?? 0),
    texts,
  );
}
