/** Trust in folders: which keys a folder may send and which code it may run, asked once and remembered. */

export {
  agentNeeds,
  fileNeeds,
  folderNeeds,
  jobNeeds,
  type Need,
  needText,
  useNeeds,
} from './need.ts';
export {
  listRecords,
  recordsFolder,
  removeRecord,
  type TrustRecord,
  writeRecord,
} from './records.ts';
export {
  createTrust,
  isTrustGiven,
  type Question,
  type Trust,
  TrustError,
  type TrustOptions,
} from './trust.ts';
