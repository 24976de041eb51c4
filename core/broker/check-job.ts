/** Validates an encoded job: checksum and fields. The result is one item of the response. */

import {
  AiqError,
  type Crc32,
  checkNewJob,
  idBytes,
  idToText,
  isItemCode,
  jobChecksumFits,
  jobFields,
  limits,
  Reader,
} from '../protocol/index.ts';
import { type CheckedJob, withBytes } from './events.ts';

export function checkJob(bytes: Uint8Array, crc32: Crc32): CheckedJob {
  // Size first, to save the checksum of a job that is refused anyway.
  if (bytes.length <= limits.jobBytesMax && !jobChecksumFits(bytes, crc32)) {
    const message = 'the checksum of the job does not match its bytes: it was damaged in transit';
    return { ok: false, id: null, code: 'CHECKSUM', message };
  }
  try {
    return { ok: true, bytes, job: withBytes(checkNewJob(bytes), bytes.length) };
  } catch (error) {
    if (!(error instanceof AiqError && isItemCode(error.code))) throw error;
    return { ok: false, id: jobIdOf(bytes), code: error.code, message: error.message };
  }
}

/** The id of an invalid job, for the response; null without one. */
function jobIdOf(bytes: Uint8Array): string | null {
  const reader = new Reader(bytes);
  try {
    reader.u32();
    while (reader.remaining > 0) {
      const tag = reader.u16();
      const value = reader.bytes();
      if (tag === jobFields.id.tag) return value.length === idBytes ? idToText(value) : null;
    }
  } catch {
    // The fields end without an id.
  }
  return null;
}
