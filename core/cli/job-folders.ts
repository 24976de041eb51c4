/** The output folders in which something of a job may stand, the likeliest first. */

import type { InspectedJob } from '../job-queue/index.ts';
import { readJobBody } from '../job-queue/index.ts';
import type { Session } from './session.ts';

/** Where its consumer wrote, then where its producer wanted it, then the configured folder. */
export async function outputFolders(session: Session, found: InspectedJob): Promise<string[]> {
  const { output } = await session.config();
  const folders = [rootOf(found.info.note), wantedFolder(found), output.dir];
  return [...new Set(folders.filter((folder) => folder !== null))];
}

function rootOf(note: string): string | null {
  try {
    const { root } = JSON.parse(note) as { root?: unknown };
    return typeof root === 'string' ? root : null;
  } catch {
    return null;
  }
}

function wantedFolder({ job }: InspectedJob): string | null {
  if (job === null) return null;
  try {
    return readJobBody(job).outputDir;
  } catch {
    return null;
  }
}
