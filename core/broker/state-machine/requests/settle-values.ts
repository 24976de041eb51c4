/** What values and files a settle may carry. */

import { limits, type Output, type Settlement, type Value } from '../../../protocol/index.ts';
import type { Core } from '../context/core.ts';
import type { Refusal } from '../context/request.ts';

/** What these checks need of the core. */
type Holding = Pick<Core, 'diskScarce'> & {
  readonly state: { readonly blobs: Pick<Core['state']['blobs'], 'isStored'> };
};

export function valueRefusal(
  core: Holding,
  { inline, blob }: Value,
  what: string,
): Refusal<'item'> | null {
  if ((inline === null) === (blob === null)) return badRequest('a value is inline or a blob');
  if (core.diskScarce && inline !== null) {
    return { code: 'DISK_FULL', message: `the disk is full: settle without ${what}` };
  }
  if ((inline?.length ?? 0) > limits.inlineBytesMax) {
    return badRequest(`an inline value has at most ${limits.inlineBytesMax} bytes; store a blob`);
  }
  if (blob === null || core.state.blobs.isStored(blob)) return null;
  return { code: 'NO_BLOB', message: `the blob that holds ${what} is not stored` };
}

/** Of files and prompts. */
export function keptRefusal(core: Holding, item: Settlement): Refusal<'item'> | null {
  const { prompts, output } = item;
  return (
    (prompts === null ? null : valueRefusal(core, prompts, 'the prompts')) ??
    (output === null ? null : outputRefusal(core, output))
  );
}

function outputRefusal(core: Holding, output: Output): Refusal<'item'> | null {
  const { dir, files } = output;
  if (!dir.startsWith('/')) return badRequest('the output folder is not absolute');
  if (files.length === 0 || files.length > limits.outputFilesMax) {
    return badRequest(`an output has 1 to ${limits.outputFilesMax} files, not ${files.length}`);
  }
  const bytes = outputBytes(output);
  if (bytes > limits.outputBytesMax) {
    const most = `at most ${limits.outputBytesMax} travel with a settle: put blobs`;
    return badRequest(`names and inline contents of the files have ${bytes} bytes; ${most}`);
  }
  for (const { path, content } of files) {
    const refusal = valueRefusal(core, content, `the file ${path}`);
    if (refusal !== null) return refusal;
  }
  return null;
}

/** No fewer bytes than the output takes in a message. */
function outputBytes({ dir, files, provenance }: Output): number {
  const inline = files.reduce((sum, { content }) => sum + (content.inline?.length ?? 0), 0);
  const names = files.reduce((sum, { path }) => sum + 64 + 3 * path.length, 0);
  return inline + names + 3 * (dir.length + provenance.length);
}

export function badRequest(message: string): Refusal<'item'> {
  return { code: 'BAD_REQUEST', message };
}
