/** What jobs read of output folders before they buy anything, in their own thread instead of asking the main one. */

import { OutputView } from '../../output/index.ts';
import type { AskedOutputs, Outputs } from '../attempt/outputs.ts';
import { Folders } from './folders.ts';

export class OutputViews {
  readonly #folders = new Folders<OutputView>();

  /** As a run sees them; `asked` prepares a folder that was not read here before. */
  of(asked: AskedOutputs): Outputs {
    const open = async (dir: string): Promise<OutputView> => {
      await asked.open(dir);
      return OutputView.open(dir);
    };
    return {
      prompts: (jobId) => asked.prompts(jobId),
      find: (dir, jobId, before) =>
        this.#folders.with(dir, open, async (view) => {
          const found = await view.find(jobId);
          const earlier = before === null ? null : await view.find(before);
          const files = found?.files.map(({ path }) => path) ?? [];
          const result = found && { files, provider: found.provider, model: found.model };
          return { result, isAfterExtract: earlier?.provider === 'offline' };
        }),
      check: (dir, path, overwrite, replaces) =>
        this.#folders.with(dir, open, (view) => view.check(path, overwrite, replaces)),
    };
  }

  close(): Promise<void> {
    return this.#folders.close();
  }
}
