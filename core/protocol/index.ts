/** The wire format of aiq: messages, frames, jobs, ids, error codes and limits. Imports nothing. */

export { decodeFields, encodeFields, fieldsCodec, messageNameOf } from './codec.ts';
export { AiqError, type ErrorCode, errorCodeOf, errorCodes, noError } from './error-codes.ts';
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
  attemptsMaxDefault,
  type Crc32,
  decodeJob,
  encodeJob,
  isQueueName,
  type Job,
  jobChecksumFits,
  jobFields,
} from './job.ts';
export { frameHeaderBytes, limits, preambleBytes, protocolVersion } from './limits.ts';
export {
  type AnswerOf,
  type AnyMessage,
  type Delivery,
  directives,
  enqueueOutcomes,
  type FieldType,
  type FieldValue,
  type ItemAnswer,
  type JobInfo,
  type JobState,
  jobStates,
  type LeaseToken,
  type Message,
  type MessageName,
  messages,
  noUsage,
  type QueueInfo,
  type RequestName,
  type Settlement,
  type SettleOutcome,
  settleOutcomes,
  type Usage,
} from './messages.ts';
export { Reader, Writer } from './wire.ts';
