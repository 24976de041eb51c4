/** Results of attempts, written as the consumer writes them: for tests that look at files. */

import { OutputFolder, type Result } from '../../core/output/index.ts';
import { failureOf } from '../../core/runtime/attempt/failure.ts';
import type { Outputs } from '../../core/runtime/attempt/outputs.ts';
import type { JobResult, JobSuccess } from '../../core/runtime/attempt/result.ts';
import { Projection } from '../../core/runtime/outputs/projection.ts';
import { OutputViews } from '../../core/runtime/outputs/views.ts';
import { fakeQueue } from './runtime-fakes.ts';

/** The result, with the names of its files. */
export type WrittenResult =
  | (Omit<JobSuccess, 'files'> & { readonly files: readonly string[] })
  | Exclude<JobResult, JobSuccess>;

/** Writes into the folder, with nobody to confirm it to. */
export function projectionIn(outputDir: string): Projection {
  const log = { debug: ignore, info: ignore, warn: ignore, error: ignore };
  return new Projection({ queue: fakeQueue().queue, log, outputDir });
}

/** What an attempt reads of its folder: opened for each look, so that nothing stays open. */
export function outputsOf(projection: Projection): Outputs {
  async function look<T>(use: (outputs: Outputs) => Promise<T>): Promise<T> {
    const views = new OutputViews();
    try {
      return await use(views.of(projection));
    } finally {
      await views.close();
    }
  }
  return {
    prompts: (jobId) => projection.prompts(jobId),
    find: (...asked) => look((outputs) => outputs.find(...asked)),
    check: (...asked) => look((outputs) => outputs.check(...asked)),
  };
}

export async function written(
  projection: Projection,
  jobId: string,
  result: JobResult,
): Promise<WrittenResult> {
  if (!result.ok) return result;
  try {
    const prepared = await projection.prepare(jobId, result);
    const { names, output } = prepared;
    if (output !== null) {
      const { provider, model } = result;
      await projection.write({ jobId, output, note: JSON.stringify({ provider, model }) });
    }
    prepared.release();
    return { ...result, files: names };
  } catch (error) {
    const { prompts, usage } = result;
    const failure = failureOf(error, new AbortController().signal);
    return { ok: false, failure, prompts, usage };
  }
}

/** Writes a job of text files into a folder, durably. */
export async function publish(
  root: string,
  jobId: string,
  texts: { readonly [path: string]: string },
  more: Partial<Result> = {},
): Promise<readonly string[]> {
  const folder = await OutputFolder.open(root);
  try {
    const files = Object.entries(texts).map(([path, text]) => {
      return { path, content: Buffer.from(text) };
    });
    const wanted = { jobId, overwrite: 'number', replaces: null, provider: '', model: '' } as const;
    const result = { ...wanted, files, ...more };
    const names = await folder.reserve(Object.keys(texts), result.overwrite, result);
    const named = result.files.map((file, at) => ({ ...file, path: names.paths[at] ?? '' }));
    const done = await folder.place({ ...result, files: named });
    names.release();
    return done.files.map(({ path }) => path);
  } finally {
    await folder.close();
  }
}

function ignore(): void {
  // Nothing that these tests are about.
}
