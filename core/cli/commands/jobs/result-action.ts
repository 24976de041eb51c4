/** `aiq jobs result`: prints or saves what a job produced. */

import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type InspectedJob, isExtract, readNote, shortId } from '../../../job-queue/index.ts';
import { CliError, usageError } from '../../errors.ts';
import type { ExitName } from '../../exit-codes.ts';
import { findWithContent } from '../../input/job-lookup.ts';
import { readPath } from '../../input/values.ts';
import { printExtracts } from '../../output/extract-text.ts';
import { formatBytes, pathFromHere } from '../../output/format.ts';
import { failureOf } from '../../output/job-view.ts';
import type { Session } from '../../session.ts';

/** A file of a result; size and checksum are null where the broker does not have it. */
interface ResultFile {
  readonly path: string;
  readonly bytes: number | null;
  readonly sha256: string | null;
}

interface ResultFlags {
  readonly path?: boolean;
  readonly output?: string;
}

/** Prints the files' contents, or with `--path` where they are. */
export async function showResult(
  session: Session,
  typed: string,
  flags: ResultFlags,
): Promise<ExitName> {
  if (flags.path === true && flags.output !== undefined) {
    throw usageError('--path and --output cannot be used together');
  }
  const found = await findWithContent(session, typed);
  refuseUnfinished(found);
  const files = await resultFiles(session, found);
  const { terminal } = session;
  printExtracts(terminal, isExtract(found.info) ? 1 : 0, 1);
  if (flags.output !== undefined) return saveResult(session, found, { files, to: flags.output });
  if (files.length === 0) return showKept(session, found, flags);
  if (terminal.json) {
    const { id } = found.info;
    terminal.result(JSON.stringify({ id, shortId: shortId(id), files }, null, 2));
    return 'ok';
  }
  if (flags.path === true) {
    for (const { path } of files) terminal.result(pathFromHere(path));
    return 'ok';
  }
  for (const file of files) {
    const bytes = await readResult(file, found);
    if (files.length > 1) terminal.result(`==> ${pathFromHere(file.path)} <==`);
    terminal.resultText(bytes.toString());
    if (file.sha256 !== null && sha256Of(bytes) !== file.sha256) {
      terminal.warn(`${pathFromHere(file.path)} was modified after the job wrote it`);
    }
  }
  return 'ok';
}

/** @throws CliError with the state of a job that is not done */
function refuseUnfinished({ info }: InspectedJob): void {
  const id = shortId(info.id);
  if (info.state === 'done') return;
  if (info.state === 'dead') {
    throw new CliError('jobFailed', `job ${id} has no result: it is dead`, [
      failureOf(info),
      `What was sent: aiq jobs prompt ${id}. Retry: aiq jobs retry ${id}`,
    ]);
  }
  if (info.state === 'cancelled') {
    throw new CliError('jobFailed', `job ${id} has no result: it was cancelled`);
  }
  throw new CliError('waitTimeout', `job ${id} has no result yet: it is ${info.state}`, [
    `Wait for it: aiq jobs wait ${id}`,
  ]);
}

/** Where the files should be, with what the broker knows of them; none when the broker's copy is needed. */
async function resultFiles(session: Session, { info }: InspectedJob): Promise<ResultFile[]> {
  const noted = readNote(info.note).files;
  const kept = info.output === 'none' ? null : await (await session.queue()).output(info.id);
  // Where the folder is not on this machine, or the files are not written yet.
  const isHere =
    kept === null
      ? noted.every((path) => existsSync(path))
      : info.output === 'written' && existsSync(join(kept.dir, '.aiq', 'results.jsonl'));
  if (info.resultBytes > 0 && !isHere) return [];
  return noted.map((path, at) => {
    const { bytes = null, sha256 = null } = kept?.files[at] ?? {};
    return { path, bytes, sha256 };
  });
}

/** Prints the result that the broker stores, when the files are not here. */
async function showKept(
  session: Session,
  found: InspectedJob,
  flags: ResultFlags,
): Promise<ExitName> {
  const { id } = found.info;
  if (flags.path === true) throw noResultHere(id, 'The broker may have it: omit --path.');
  const kept = await keptResult(session, found);
  const { terminal } = session;
  if (terminal.json) {
    const text = Buffer.from(kept).toString();
    terminal.result(JSON.stringify({ id, shortId: shortId(id), files: [], result: text }, null, 2));
  } else terminal.resultText(Buffer.from(kept).toString());
  return 'ok';
}

/** Writes a result of one file unchanged: the copy of the broker, else the file. */
async function saveResult(
  session: Session,
  found: InspectedJob,
  { files, to }: { readonly files: readonly ResultFile[]; readonly to: string },
): Promise<ExitName> {
  const [only, second] = files;
  const id = shortId(found.info.id);
  if (second !== undefined) {
    throw usageError(
      `${id} has ${files.length} files, and --output takes one`,
      `Their paths: aiq jobs result ${id} --path`,
    );
  }
  const isKept = only === undefined || found.info.resultBytes > 0;
  const bytes = isKept ? await keptResult(session, found) : await readResult(only, found);
  await writeFile(readPath(to), bytes);
  session.terminal.note(`wrote ${formatBytes(bytes.length)} to ${to}`);
  return 'ok';
}

async function keptResult(session: Session, { info }: InspectedJob): Promise<Uint8Array> {
  const kept = info.resultBytes > 0 ? await (await session.queue()).result(info.id) : null;
  if (kept === null)
    throw noResultHere(info.id, 'Another machine, or another output folder, may have it.');
  return kept;
}

function noResultHere(id: string, fix: string): CliError {
  return new CliError('notFound', `the result of ${shortId(id)} was not found here`, [fix]);
}

async function readResult({ path }: ResultFile, { info }: InspectedJob): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    const kept = `The broker still has it: aiq outputs restore ${shortId(info.id)}`;
    throw new CliError('notFound', `the result cannot be read: ${pathFromHere(path)}`, [
      `${(error as Error).message}. The job is done; the file was moved or removed.`,
      ...(info.resultBytes > 0 ? [kept] : []),
    ]);
  }
}

function sha256Of(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
