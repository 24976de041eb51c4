/** Asks for permission at a terminal: once, for everything that the folder needs. */

import type { Config, LoadedEnvironment } from '../../config/index.ts';
import { createTrust, folderNeeds, isTrustGiven, needText, type Trust } from '../../trust/index.ts';
import { oneLine } from '../output/format.ts';
import type { Terminal } from '../output/terminal.ts';
import { askYes, canAsk } from './confirm.ts';

export interface TrustFor {
  readonly config: Config;
  readonly loaded: LoadedEnvironment;
  /** `--trust`. */
  readonly flag: boolean | undefined;
  readonly terminal: Terminal;
}

export function trustFor({ config, loaded, flag = false, terminal }: TrustFor): Trust {
  const { env, envFile, brought } = loaded;
  return createTrust({
    config,
    env: process.env,
    brought,
    isGiven: flag || isTrustGiven(process.env),
    question: canAsk()
      ? {
          // A server that only may be there is asked about when it is.
          everything: async () =>
            (await folderNeeds({ ...config, env, envFile })).filter(({ kind }) => kind !== 'text'),
          ask: (folder, needs) => {
            const lines = needs.map((need) => `  ${oneLine(needText(need, folder))}`);
            const question = `${oneLine(folder)} wants to\n${lines.join('\n')}\nAllow this from now on?`;
            return askYes(question);
          },
          onForgotten: (reason) => terminal.warn(`this permission cannot be saved: ${reason}`),
        }
      : null,
  });
}
