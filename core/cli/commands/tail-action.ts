/** `aiq tail`: prints state changes of jobs as they happen. */

import {
  describeJob,
  type JobInfo,
  shortId,
  stateWord,
  supersededBy,
} from '../../job-queue/index.ts';
import { usageError } from '../errors.ts';
import type { ExitName } from '../exit-codes.ts';
import { findJob } from '../input/job-lookup.ts';
import { outputText } from '../output/extract-text.ts';
import { oneLine } from '../output/format.ts';
import { failureOf } from '../output/job-view.ts';
import { findQueue } from '../output/queue-view.ts';
import type { Style, Terminal } from '../output/terminal.ts';
import type { Session } from '../session.ts';
import { exitOfSignal, onStopSignals } from '../signals.ts';
import { exitOfFinished } from '../wait.ts';

export interface TailFlags {
  readonly queue?: readonly string[];
  readonly untilEmpty?: boolean;
}

/** Ends on a signal, with `--until-empty` when no job is left, and for one job when it finishes. */
export async function tail(
  session: Session,
  typed: string | undefined,
  flags: TailFlags,
): Promise<ExitName> {
  const { promise, resolve } = Promise.withResolvers<ExitName>();
  const ending = new AbortController();
  const release = onStopSignals(
    (signal) => resolve(exitOfSignal(signal)),
    (signal) => resolve(exitOfSignal(signal)),
  );
  try {
    const follow = { resolve, signal: ending.signal };
    if (typed === undefined) await followQueues(session, flags, follow);
    else if (flags.queue !== undefined || flags.untilEmpty === true) {
      throw usageError('a job cannot be combined with --queue or --until-empty');
    } else await followJob(session, typed, follow);
    return await promise;
  } finally {
    ending.abort();
    release();
  }
}

interface Follow {
  readonly resolve: (exit: ExitName | Promise<ExitName>) => void;
  readonly signal: AbortSignal;
}

async function followQueues(
  session: Session,
  flags: TailFlags,
  { resolve, signal }: Follow,
): Promise<void> {
  const { terminal } = session;
  const queue = await session.queue();
  const queues = flags.queue ?? [];
  for (const name of queues) await findQueue(session, name);
  const check = async (): Promise<void> => {
    if (flags.untilEmpty !== true) return;
    const stats = await queue.stats(queues);
    const isEmpty = stats.queues.every(
      ({ ready, delayed, leased }) => ready + delayed + leased === 0,
    );
    if (isEmpty) resolve('ok');
  };
  const recheck = (): void => {
    check().catch((error: unknown) => resolve(Promise.reject(error as Error)));
  };
  await queue.watch({
    queues,
    signal,
    onChange: (info) => {
      reportChange(terminal, info);
      if (isFinished(info)) recheck();
    },
    onGap: () => {
      reportGap(terminal);
      recheck();
    },
  });
  terminal.hint(`watching ${queues.length === 0 ? 'all queues' : queues.join(', ')}; Ctrl-C stops`);
  await check();
}

/** Prints the present state after the watch began, so that no change in between is missed. */
async function followJob(
  session: Session,
  typed: string,
  { resolve, signal }: Follow,
): Promise<void> {
  const { terminal } = session;
  const queue = await session.queue();
  const { id, queue: name } = (await findJob(queue, typed)).info;
  let lastPrinted = '';
  const inBackground = (work: Promise<void>): void => {
    work.catch((error: unknown) => resolve(Promise.reject(error as Error)));
  };
  const print = (info: JobInfo): void => {
    const change = `${info.state} ${info.deliveries} ${info.changedAtMs}`;
    if (info.id !== id || change === lastPrinted) return;
    lastPrinted = change;
    reportChange(terminal, info);
    const next = supersededBy(info);
    if (next !== null) inBackground(followJob(session, next, { resolve, signal }));
    else if (isFinished(info)) resolve(exitOfFinished([info]));
  };
  const printPresent = async (): Promise<void> => {
    for (const { info } of await queue.inspect(id)) print(info);
  };
  await queue.watch({
    queues: [name],
    signal,
    onChange: print,
    onGap: () => {
      reportGap(terminal);
      inBackground(printPresent());
    },
  });
  await printPresent();
}

function isFinished({ state }: JobInfo): boolean {
  return state === 'done' || state === 'dead' || state === 'cancelled';
}

function reportGap(terminal: Terminal): void {
  terminal.warn('the connection was lost; changes in the meantime are not shown');
}

const styles: { readonly [state in JobInfo['state']]?: Style } = {
  done: 'green',
  dead: 'red',
  delayed: 'yellow',
};

function reportChange(terminal: Terminal, info: JobInfo): void {
  if (terminal.json) {
    terminal.result(JSON.stringify(describeJob(info)));
    return;
  }
  const time = timeOf(info.changedAtMs);
  const state = stateWord(info).padEnd(9);
  const style = styles[info.state];
  const shown = style === undefined || !process.stdout.isTTY ? state : terminal.paint(style, state);
  const what = info.source === '' ? info.agent : `${info.agent}  ${info.source}`;
  const detail = detailOf(info);
  const rest = detail === '' ? what : `${what}  ${detail}`;
  terminal.result(`${time}  ${shortId(info.id)}  ${shown}  ${oneLine(rest)}`);
}

function detailOf(info: JobInfo): string {
  if (info.state === 'done') {
    return `-> ${outputText(info)}`;
  }
  if (info.state === 'leased') return `attempt ${info.attempts + 1} of ${info.attemptsMax}`;
  const due = info.state === 'delayed' ? `due ${timeOf(info.dueAtMs)}` : '';
  return [failureOf(info), due].filter((text) => text !== '').join('; ');
}

/** Time of the day, here. */
function timeOf(ms: number): string {
  return new Date(ms).toTimeString().slice(0, 8);
}
