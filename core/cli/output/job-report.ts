/** Prints one line for each job that this process finished or returned. */

import { join } from 'node:path';
import { shortId } from '../../job-queue/index.ts';
import type { JobReport } from '../../runtime/index.ts';
import { formatElapsed, oneLine, pathFromHere } from './format.ts';
import type { Style, Terminal } from './terminal.ts';

/** Prints it: for people on standard error, with `--json` as JSON on standard output. */
export function printJob(terminal: Terminal, report: JobReport): void {
  if (terminal.json) {
    terminal.result(JSON.stringify({ ...report, root: undefined, files: filesOf(report) }));
    return;
  }
  const { word, style } = wordOf(report);
  const what = report.source === '' ? report.agent : `${report.agent}  ${report.source}`;
  const line = `${shortId(report.id)}  ${what}  ${outcomeText(report)}`;
  const shown = `${terminal.paint(style, word.padEnd(6))}${oneLine(line)}`;
  if (word === 'dead') terminal.failure(shown);
  else terminal.note(shown);
}

/** Warns once of the files that an agent's searches skip, however many jobs do. */
export function createLeftOutPrinter(terminal: Terminal): (report: JobReport) => void {
  const printed = new Set<string>();
  return ({ agent, notSearched }) => {
    if (notSearched === undefined || printed.has(`${agent} ${notSearched}`)) return;
    printed.add(`${agent} ${notSearched}`);
    terminal.warn(oneLine(`agent "${agent}" does not search ${notSearched}`));
  };
}

/** Absolute paths of the job's files. */
export function filesOf({ root, files }: JobReport): string[] {
  return files.map((file) => join(root, file));
}

function wordOf(report: JobReport): { word: string; style: Style } {
  if (report.supersededBy !== '') return { word: 'moved', style: 'yellow' };
  if (report.outcome === 'ack') return { word: 'ok', style: 'green' };
  if (report.state === 'dead') return { word: 'dead', style: 'red' };
  if (report.outcome === 'retry' || report.outcome === 'crashed') {
    return { word: 'retry', style: 'yellow' };
  }
  return { word: report.outcome === 'lost' ? 'lost' : 'back', style: 'yellow' };
}

function isExtractReport({ outcome, provider }: JobReport): boolean {
  return outcome === 'ack' && provider === 'offline';
}

function outcomeText(report: JobReport): string {
  if (report.supersededBy !== '') return report.errorMessage;
  if (report.outcome === 'ack') {
    if (report.notWritten !== undefined) {
      return `result is kept; not written: ${report.notWritten}`;
    }
    const files = filesOf(report).map(pathFromHere).join(' ');
    const how = report.recovered ? 'already existed' : formatElapsed(report.elapsedMs);
    return `-> ${files}${isExtractReport(report) ? ' (extract)' : ''}  ${how}`;
  }
  const again = report.delayMs > 0 ? `; retry in ${formatElapsed(report.delayMs)}` : '';
  return `attempt ${report.attempt}: ${report.errorCode} ${report.errorMessage}${again}`;
}
