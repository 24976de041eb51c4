/**
 * What a job sent to its model, kept as `<output folder>/.aiq/prompts/<job id>.json` when it is
 * sent: templates and agents change, so it cannot be made again later. The newest calls are kept,
 * those of failed attempts too; replaced atomically, and not synced, as nothing depends on it.
 */

import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { open, rename, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { withoutTexts } from '../../agent/index.ts';
import { hasCode, makeFolder, messageOf } from '../../base/index.ts';
import type { Message, ModelCall, Provider } from '../../model/index.ts';
import { AttemptError } from './failure.ts';

/** One call as it was sent. */
export interface SentCall {
  /** ISO 8601. */
  readonly at: string;
  /** Number of the attempt, from 1. */
  readonly attempt: number;
  readonly provider: string;
  readonly model: string;
  readonly options: ModelCall['options'];
  /** Names of the tools that were offered. */
  readonly tools: readonly string[];
  /** Name of the schema that the answer had to fit; null for free text. */
  readonly responseSchema: string | null;
  /** A content over 1 MiB is cut and says so in its last line. */
  readonly messages: readonly Message[];
}

/** The calls of one job, oldest first. */
export interface SentPrompts {
  readonly version: 1;
  readonly jobId: string;
  /** Calls that were dropped because newer ones took their place. */
  readonly dropped: number;
  readonly calls: readonly SentCall[];
}

const callsMax = 20;
const fileBytesMax = 4 * 1024 * 1024;
const contentCharsMax = 1024 * 1024;
/** What the commit records are named by, too. */
const jobIdPattern = /^[0-9a-z-]{1,64}$/;
/** A shorter key is a placeholder such as `none`: replacing it would garble the text. */
const keyCharsMin = 6;

/** Who sends: what every call of one attempt has in common. */
export interface Sender {
  /** Absolute output folder. */
  readonly dir: string;
  readonly jobId: string;
  readonly attempt: number;
  readonly provider: Provider;
  /** Texts of the input that are not kept. */
  readonly secrets: ReadonlySet<string>;
}

/**
 * Adds a call to what the job has sent.
 * @throws AttemptError `output_io` when it cannot be written: the call is not worth paying then,
 *   because its result could not be written either
 */
export async function keepPrompt(sender: Sender, call: ModelCall): Promise<void> {
  try {
    const before = await readPrompts(sender.dir, sender.jobId).catch(() => null);
    await replace(sender, withCall(before, sender, call));
  } catch (error) {
    const reason = messageOf(error);
    const message = `the prompt cannot be kept in ${promptsDir(sender.dir)}: ${reason}`;
    throw new AttemptError('transient', 'output_io', message, { cause: error });
  }
}

/**
 * What a job has sent; null when nothing is known of it in that output folder.
 * @throws Error when the file is damaged or cannot be read
 */
export async function readPrompts(dir: string, jobId: string): Promise<SentPrompts | null> {
  let text: string;
  try {
    const handle = await open(fileOf(dir, jobId), constants.O_RDONLY | constants.O_NOFOLLOW);
    try {
      text = await handle.readFile('utf8');
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return null;
    throw error;
  }
  const value = JSON.parse(text) as Partial<SentPrompts> | null;
  if (value?.version !== 1 || value.jobId !== jobId || !Array.isArray(value.calls)) {
    throw new Error(`${fileOf(dir, jobId)} is damaged`);
  }
  return value as SentPrompts;
}

function promptsDir(dir: string): string {
  return join(dir, '.aiq', 'prompts');
}

function fileOf(dir: string, jobId: string): string {
  if (!jobIdPattern.test(jobId)) throw new Error(`not a job id: ${JSON.stringify(jobId)}`);
  return join(promptsDir(dir), `${jobId}.json`);
}

function withCall(before: SentPrompts | null, sender: Sender, call: ModelCall): string {
  const calls = [...(before?.calls ?? []), sentCall(sender, call)];
  let dropped = before?.dropped ?? 0;
  for (;;) {
    const sent: SentPrompts = { version: 1, jobId: sender.jobId, dropped, calls };
    const text = `${withoutKey(JSON.stringify(sent, null, 2), sender.provider)}\n`;
    const fits = calls.length <= callsMax && Buffer.byteLength(text) <= fileBytesMax;
    if (fits || calls.length === 1) return text;
    calls.shift();
    dropped++;
  }
}

function sentCall({ attempt, provider, secrets }: Sender, call: ModelCall): SentCall {
  return {
    at: new Date().toISOString(),
    attempt,
    provider: provider.name,
    model: call.model,
    options: call.options,
    tools: (call.tools ?? []).map(({ name }) => name),
    responseSchema: call.responseSchema?.name ?? null,
    messages: call.messages.map((message) => shown(message, secrets)),
  };
}

function shown(message: Message, secrets: ReadonlySet<string>): Message {
  const { content, toolCalls } = message;
  const hide = (text: string): string => withoutTexts(text, secrets);
  const calls = toolCalls?.map((made) => ({ ...made, arguments: hide(made.arguments) }));
  const hidden = { ...message, content: cut(hide(content)) };
  return calls === undefined ? hidden : { ...hidden, toolCalls: calls };
}

function cut(content: string): string {
  if (content.length <= contentCharsMax) return content;
  const more = content.length - contentCharsMax;
  return `${content.slice(0, contentCharsMax)}\n[${more} more characters were sent]`;
}

function withoutKey(json: string, { apiKey }: Provider): string {
  // As it is written inside a JSON string.
  const written = JSON.stringify(apiKey).slice(1, -1);
  return apiKey.length < keyCharsMin ? json : json.replaceAll(written, '[key]');
}

/** Whole or not at all: a reader, or a crash, never meets half of it. Only the owner may read it. */
async function replace({ dir, jobId }: Sender, text: string): Promise<void> {
  const file = fileOf(dir, jobId);
  const staged = `${file}.${randomBytes(6).toString('hex')}`;
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
  makeFolder(promptsDir(dir), 0o700);
  const handle = await open(staged, flags, 0o600);
  try {
    await handle.writeFile(text);
    await handle.close();
    await rename(staged, file);
  } catch (error) {
    await handle.close().catch(() => undefined);
    await unlink(staged).catch(() => undefined);
    throw error;
  }
}
