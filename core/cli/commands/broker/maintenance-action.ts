/** `aiq broker verify | backup | restore | salvage`. */

import type { VerifyReport } from '../../../broker/index.ts';
import { CliError, reportOf } from '../../errors.ts';
import type { ExitName } from '../../exit-codes.ts';
import { readPath } from '../../input/values.ts';
import { formatBytes } from '../../output/format.ts';
import type { Session } from '../../session.ts';
import { folderOf } from './start-action.ts';

interface MaintenanceFlags {
  readonly dir?: string;
}

/** Exits as `damaged` when there is a problem. A broker may be running. */
export async function verify(session: Session, folder: string | undefined): Promise<ExitName> {
  const { describeProblem, verifyLog } = await import('../../../broker/index.ts');
  const { terminal } = session;
  const report = await withExitCode(verifyLog(await folderFor(session, folder)));
  const exit = report.problems.length === 0 ? 'ok' : 'damaged';
  if (terminal.json) {
    terminal.result(JSON.stringify(report, null, 2));
    return exit;
  }
  for (const line of summaryLines(report)) terminal.result(line);
  for (const notice of report.notices) terminal.result(`notice   ${notice}`);
  for (const problem of report.problems) terminal.result(`damaged  ${describeProblem(problem)}`);
  if (exit === 'damaged') {
    terminal.hint(
      'From a backup: aiq broker restore <backup>. Without one: aiq broker salvage <new folder>',
    );
  }
  return exit;
}

export async function backup(
  session: Session,
  to: string,
  flags: MaintenanceFlags,
): Promise<ExitName> {
  const { backupLog } = await import('../../../broker/index.ts');
  const { terminal } = session;
  const report = await withExitCode(backupLog(await folderFor(session, flags.dir), readPath(to)));
  if (terminal.json) terminal.result(JSON.stringify(report, null, 2));
  else {
    for (const line of summaryLines(report.copy)) terminal.result(line);
    terminal.note(
      `the backup in ${report.to} holds everything up to record ${report.copy.endOffset}`,
    );
  }
  return 'ok';
}

export async function restore(
  session: Session,
  from: string,
  flags: MaintenanceFlags,
): Promise<ExitName> {
  const { restoreLog } = await import('../../../broker/index.ts');
  const { terminal } = session;
  const report = await withExitCode(
    restoreLog(readPath(from), await folderFor(session, flags.dir)),
  );
  if (terminal.json) terminal.result(JSON.stringify(report, null, 2));
  else {
    for (const line of summaryLines(report.restored)) terminal.result(line);
    terminal.note(
      `restored into ${report.dir}; jobs that finished since the backup run again, and jobs added since are lost`,
    );
  }
  return 'ok';
}

export async function salvage(
  session: Session,
  to: string,
  flags: MaintenanceFlags,
): Promise<ExitName> {
  const { salvageLog } = await import('../../../broker/index.ts');
  const { terminal } = session;
  const report = await withExitCode(salvageLog(await folderFor(session, flags.dir), readPath(to)));
  if (terminal.json) terminal.result(JSON.stringify(report, null, 2));
  else {
    const { kept, lost } = report.loss;
    for (const line of summaryLines(report.salvaged)) terminal.result(line);
    const atLeast = lost.placesOfUnknownSize > 0 ? 'at least ' : '';
    terminal.result(
      `salvage  kept ${kept.records} records, lost ${atLeast}${lost.records} (${lost.bytes} bytes)`,
    );
    terminal.note(`report of losses: ${report.to}/loss-report.txt`);
    terminal.hint(`To use it: move the damaged folder away and ${report.to} into its place.`);
  }
  return 'ok';
}

/** The folder that was named, or that of the configured broker. */
async function folderFor(session: Session, folder: string | undefined): Promise<string> {
  return folder === undefined ? folderOf(await session.config()) : readPath(folder);
}

/** Gives damage and a locked folder exit codes of their own, for scripts. */
async function withExitCode<Result>(work: Promise<Result>): Promise<Result> {
  try {
    return await work;
  } catch (error) {
    const exit = error instanceof Error ? exitOfError[error.constructor.name] : undefined;
    if (exit === undefined) throw error;
    const { message, details } = reportOf(error);
    throw new CliError(exit, message, details);
  }
}

const exitOfError: Readonly<Record<string, ExitName>> = {
  LogDamagedError: 'damaged',
  FolderLockedError: 'locked',
};

function summaryLines(report: VerifyReport): string[] {
  const { logDir, segments, batches, records, bytes, jobs, looseEnd } = report;
  const { firstOffset, endOffset, clean } = report;
  return [
    `log      ${logDir}: ${formatBytes(bytes)}, segments: ${segments}, batches: ${batches}`,
    `records  ${records}, numbers ${firstOffset} to ${endOffset}`,
    jobs === null
      ? 'jobs     unknown: the records cannot be read to the end'
      : `jobs     ${jobs.live} to do, ${jobs.dead} dead, ${jobs.finished} finished`,
    looseEnd === null
      ? `end      ${clean ? 'closed cleanly' : 'not closed: a broker is running, or it crashed'}`
      : `end      ${looseEnd.bytes} bytes being written, or truncated by a crash: they hold nothing accepted`,
  ];
}
