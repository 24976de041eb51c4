/** The wire format of aiq: messages, frames, jobs, ids, error codes and limits. Imports nothing. */

export {
  decodeFields,
  encodeAhead,
  encodeFields,
  type FieldsCodec,
  fieldsCodec,
  messageNameOf,
  pieceAt,
} from './codec.ts';
export { AiqError, type ErrorCode, errorCodeOf, errorCodes, noError } from './error-codes.ts';
export { type CodeOf, isItemCode } from './error-scopes.ts';
export {
  decodeFrame,
  decodePreamble,
  encodeFrame,
  encodePreamble,
  type Frame,
  FrameSplitter,
} from './frame.ts';
export { idBytes, idFromText, idTextLength, idToText, isId, isIdPrefix, shortId } from './ids.ts';
export {
  checkNewJob,
  decodeJob,
  decodeJobCore,
  type JobCore,
  jobChecksumFits,
} from './job/decode-job.ts';
export { encodeJob, JobEncoder } from './job/encode-job.ts';
export {
  type Crc32,
  isClientName,
  isKey,
  isQueueName,
  isTag,
  type Job,
  jobFields,
  type NewJob,
  plainJob,
} from './job/job.ts';
export { frameHeaderBytes, limits, preambleBytes, protocolVersion } from './limits.ts';
export {
  type AnswerOf,
  type AnyMessage,
  type BlobRef,
  type BudgetTerms,
  type Charge,
  type Delivery,
  type FieldType,
  type FieldValue,
  type ItemAnswer,
  type JobInfo,
  type LeaseEndInfo,
  type LeaseToken,
  type Message,
  type MessageName,
  noUsage,
  type Output,
  type QueueInfo,
  type RequestName,
  type Settlement,
  type Usage,
  unknownCostMicros,
  type Value,
} from './message-types.ts';
export { messages } from './messages.ts';
export { nonceBytes, type ProofNonces, signedBytes } from './proof.ts';
export {
  blobRef as blobRefType,
  budget as budgetType,
  callEnds,
  charge as chargeType,
  directives,
  type JobState,
  jobStates,
  type LeaseEnd,
  leaseEndInfo as leaseEndInfoType,
  leaseEnds,
  type OutputState,
  type Overwrite,
  output as outputType,
  outputStates,
  overwriteRules,
  type Priority,
  priorities,
  type SettleOutcome,
  usage as usageType,
  value as valueType,
} from './structs.ts';
export { Reader, Writer } from './wire.ts';
