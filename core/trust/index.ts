/** Which folder may send keys and run code: asked once, remembered by exactly these. */

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
