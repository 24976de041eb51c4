/** Exit codes. `docs/reference/cli.md` and `aiq help exit-codes` repeat them; a test compares. */

export const exitCodes = {
  ok: { code: 0, meaning: 'Success, also for an empty list and for a consumer that drained.' },
  unexpected: {
    code: 1,
    meaning: 'An unexpected error: of the file system, or a bug in aiq.',
  },
  usage: {
    code: 2,
    meaning: 'Unknown command, flag or value, or a job whose state does not allow it.',
  },
  invalid: {
    code: 3,
    meaning: 'An agent, the configuration, an input file or an input is invalid.',
  },
  credential: {
    code: 4,
    meaning:
      "No usable credential: a model provider's key or a broker's token is missing or was refused, " +
      'or a quota is used up.',
  },
  notFound: { code: 5, meaning: 'No such agent, job, queue, budget or result.' },
  broker: {
    code: 6,
    meaning:
      'The broker cannot be started or reached, is not trusted, or is locked, full or damaged.',
  },
  jobFailed: { code: 7, meaning: 'The job is dead or was cancelled.' },
  waitTimeout: {
    code: 8,
    meaning: 'The job is not finished, or waiting for it timed out. It continues.',
  },
  partial: { code: 9, meaning: 'Some succeeded, others failed.' },
  budget: {
    code: 10,
    meaning:
      'Jobs wait for a budget that has no room, or too many failed before them (--stop-after).',
  },
  damaged: {
    code: 65,
    meaning: 'The log or the backup is damaged (broker verify, backup, restore, salvage).',
  },
  locked: {
    code: 75,
    meaning: 'A broker runs on the folder: stop it before broker restore and salvage.',
  },
  untrusted: {
    code: 77,
    meaning:
      'The folder would send a key to an address or run code, or belongs to another user, and this is not ' +
      'allowed yet: see aiq help trust.',
  },
  interrupted: { code: 130, meaning: 'Ended by SIGINT: tail, or a second Ctrl-C.' },
  terminated: { code: 143, meaning: 'Ended by SIGTERM: tail, or a second SIGTERM.' },
} as const;

export type ExitName = keyof typeof exitCodes;

export function exitCode(name: ExitName): number {
  return exitCodes[name].code;
}
