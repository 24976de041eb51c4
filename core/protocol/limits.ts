/**
 * Every limit of protocol v1, with its reason. Relations between limits are asserted when this
 * module loads, so a careless edit fails at start and not under load.
 */

/** First bytes on every connection, in both directions: `AIQP`, then version (u16) and a reserved u16. */
export const preambleMagic = 'AIQP';
export const preambleBytes = 8;
export const protocolVersion = 1;

/** Fixed part of a frame: length u32, opcode u8, flags u8, reserved u16, correlation id u32. */
export const frameHeaderBytes = 12;

export const limits = {
  /** Largest frame body before Hello was accepted: a stranger can make the broker buffer no more. */
  frameBytesMaxBeforeHello: 4 * 1024,
  /** Largest frame body afterwards. Holds a batch, so it is larger than one job. */
  frameBytesMax: 4 * 1024 * 1024,
  /** Least that a client must take in a frame: the largest job, and the other fields of its message. */
  frameBytesMaxMin: 1024 * 1024 + 64 * 1024,
  /** Longest name of a client, in bytes. */
  clientNameBytesMax: 200,
  /** Largest encoded job, its body included unless that is a blob. */
  jobBytesMax: 1024 * 1024 + 16 * 1024,
  /** Largest job body (the input as JSON). */
  jobBodyBytesMax: 1024 * 1024,
  /** Most items in one batch (Enqueue, Settle, Extend, Resume, Deliver). */
  batchItemsMax: 1000,
  /** Longest queue name, in bytes. */
  queueNameBytesMax: 128,
  /** Longest delay: a thousand years, however one counts their days. */
  delayMsMax: 1_000 * 366 * 86_400_000,
  /** Longest error code and message that a settle may carry. */
  errorCodeBytesMax: 64,
  errorMessageBytesMax: 4 * 1024,
  /** Largest outcome note (JSON text of what the job made). */
  noteBytesMax: 8 * 1024,
  /** Largest value (result, journal entry, input) that travels inline; above it is a blob. */
  inlineBytesMax: 64 * 1024,
  /** Most files of a result. */
  outputFilesMax: 1000,
  /** Most bytes of a result's names, inline contents and provenance, which one message holds. */
  outputBytesMax: 1024 * 1024,
  /** Largest chunk of a blob in one frame. */
  blobChunkBytesMax: 256 * 1024,
  /** Largest blob. */
  blobBytesMax: 64 * 1024 * 1024,
  /** Most entries of one job's journal. */
  journalEntriesMax: 1000,
  /** Most tags of a job, and the longest, in bytes. */
  tagsMax: 16,
  tagBytesMax: 64,
  /** Longest park key, in bytes. */
  keyBytesMax: 200,
  /** Ends of leases that Inspect shows of one job. */
  historyRowsMax: 10,
  /** Most rows in one List or Inspect answer. */
  listRowsMax: 1000,
  /** Time for preamble and Hello to arrive. */
  handshakeMs: 5_000,
  /** Time that a frame which has begun may take, besides that for its bytes. */
  frameMs: 10_000,
  /** A peer that moves this much is served, whatever the sizes; a slower one may be cut off. */
  lineBytesPerSecond: 8_000,
  /** Size that batches are filled to: on a slow line others need not wait long for one. */
  batchBytesMax: 256 * 1024,
} as const;

function assertRelation(holds: boolean, relation: string): void {
  if (!holds) throw new Error(`protocol limits contradict each other: ${relation}`);
}

assertRelation(limits.frameBytesMaxMin > limits.jobBytesMax + 1024, 'a frame must hold one job');
assertRelation(
  limits.frameBytesMax >= limits.frameBytesMaxMin,
  'a broker must take what clients must',
);
assertRelation(limits.jobBytesMax > limits.jobBodyBytesMax, 'a job must hold its body');
assertRelation(limits.frameBytesMaxBeforeHello >= 1024, 'Hello must fit before Hello');
