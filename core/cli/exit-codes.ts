/** The table of exit codes. `docs/reference/cli.md` and `aiq help exit-codes` repeat it; a test compares them. */

export const exitCodes = {
  ok: { code: 0, meaning: 'Done. An empty list is done, and so is a consumer that drained.' },
  unexpected: {
    code: 1,
    meaning: 'An unexpected error: the file system refused, or a bug in aiq.',
  },
  usage: {
    code: 2,
    meaning: 'Unknown command, flag or value, or a job whose state does not allow it.',
  },
  invalid: {
    code: 3,
    meaning: 'An agent, the configuration, an input file or an input did not pass its checks.',
  },
  credential: {
    code: 4,
    meaning:
      "No usable credential: a model provider's key or a broker's token is missing or was refused, " +
      'or a quota is used up.',
  },
  notFound: { code: 5, meaning: 'No such agent, job, queue or result.' },
  broker: {
    code: 6,
    meaning:
      'The broker cannot be started or reached, is not to be trusted, or is locked, full or damaged.',
  },
  jobFailed: { code: 7, meaning: 'The job is dead or was cancelled.' },
  waitTimeout: { code: 8, meaning: 'The job is not finished: gave up waiting. It lives on.' },
  partial: { code: 9, meaning: 'Some of many succeeded, others did not.' },
  damaged: {
    code: 65,
    meaning:
      'The log or the backup is damaged: told by broker verify, backup, restore and salvage.',
  },
  locked: {
    code: 75,
    meaning: 'A broker serves the folder: it must be stopped before broker restore and salvage.',
  },
  untrusted: {
    code: 77,
    meaning:
      'The folder would send a key to an address or run code, or belongs to another user, and nobody ' +
      'has allowed that: see aiq help trust.',
  },
  interrupted: { code: 130, meaning: 'Ended by SIGINT: tail, or at once by a second Ctrl-C.' },
  terminated: { code: 143, meaning: 'Ended by SIGTERM: tail, or at once by the second one.' },
} as const;

export type ExitName = keyof typeof exitCodes;

export function exitCode(name: ExitName): number {
  return exitCodes[name].code;
}
