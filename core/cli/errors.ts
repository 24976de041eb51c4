/**
 * Maps errors of all layers to a message, details and an exit code. Classes are recognised by name:
 * `instanceof` would load layers (and the `openai` package) that the failing command does not need.
 */

import type { AgentError } from '../agent/index.ts';
import type { MaintenanceError } from '../broker/index.ts';
import type { AiqError, ErrorCode } from '../job-queue/index.ts';
import type { ModelError, ProviderError } from '../model/index.ts';
import type { TrustError } from '../trust/index.ts';
import type { ExitName } from './exit-codes.ts';
import { oneLine } from './output/format.ts';

/** A failure that the command line itself detected, worded for the user. */
export class CliError extends Error {
  readonly exit: ExitName;
  /** Lines below the first: places, values, fixes. Empty strings are blank lines. */
  readonly details: readonly string[];

  constructor(exit: ExitName, message: string, details: readonly string[] = []) {
    super(message);
    this.name = 'CliError';
    this.exit = exit;
    this.details = details;
  }
}

/** An error of the command line (exit code 2). */
export function usageError(message: string, ...details: string[]): CliError {
  return new CliError('usage', message, details);
}

/** An error of the input (exit code 3). */
export function inputError(message: string, ...details: string[]): CliError {
  return new CliError('invalid', message, details);
}

export interface Report {
  readonly exit: ExitName;
  readonly message: string;
  readonly details: readonly string[];
}

/** The message, details and exit code for anything thrown. */
export function reportOf(error: unknown): Report {
  if (error instanceof CliError) return error;
  if (!(error instanceof Error)) return unexpected(error);
  if (error.name === 'CommanderError') return commanderReport(error);
  return reporters[error.constructor.name]?.(error) ?? fileSystemReport(error) ?? unexpected(error);
}

/**
 * The lines of a report: the message, a blank line, then the details, indented. Control characters
 * are removed: texts may come from jobs, or from an untrusted server.
 */
export function formatReport(report: Report): string[] {
  const [first = '', ...rest] = report.message.split('\n').map(oneLine);
  const details = [...rest, ...report.details.map(oneLine)];
  if (details.length === 0) return [first];
  return [first, '', ...details.map((line) => (line === '' ? '' : `  ${line}`))];
}

type Reporter = (error: Error) => Report;

const reporters: Readonly<Record<string, Reporter>> = {
  AgentError: (error) => ({
    exit: 'invalid',
    message: error.message,
    details: (error as AgentError).problems.map(({ property, message }) =>
      property === '' ? message : `${property}  ${message}`,
    ),
  }),
  UnknownAgentError: (error) => ({ exit: 'notFound', message: error.message, details: [] }),
  BrokenAgentError: (error) => ({ exit: 'invalid', message: error.message, details: [] }),
  ConfigError: (error) => ({ exit: 'invalid', message: error.message, details: [] }),
  FolderError: (error) => ({ exit: 'invalid', message: error.message, details: [] }),
  OutputError: (error) => ({ exit: 'invalid', message: error.message, details: [] }),
  TrustError: (error) => trustReport(error as TrustError),
  ProviderError: (error) => providerReport(error as ProviderError),
  FolderLockedError: (error) => ({
    exit: 'broker',
    message: error.message,
    details: ['See: aiq broker status. To stop it: aiq broker stop'],
  }),
  MaintenanceError: (error) => ({
    exit: 'usage',
    message: error.message,
    details: (error as MaintenanceError).fixes,
  }),
  StartError: (error) => ({ exit: 'broker', message: error.message, details: [] }),
  FolderLostError: (error) => ({ exit: 'broker', message: error.message, details: [] }),
  ListenError: (error) => ({ exit: 'broker', message: error.message, details: [] }),
  LogDamagedError: (error) => ({
    exit: 'broker',
    message: error.message,
    details: [
      'Details: aiq broker verify. From a backup: aiq broker restore <backup>',
      'Without a backup: aiq broker salvage <new folder>',
    ],
  }),
  ModelError: (error) => modelReport(error as ModelError),
  AiqError: (error) => aiqReport(error as AiqError),
};

const nameProvider = 'Or set provider (AIQ_PROVIDER): local for that server, offline for extracts.';

function trustReport({ folder, needs, wants, wasAsked }: TrustError): Report {
  const message = wasAsked
    ? `${folder} was not allowed to`
    : `${folder} is not trusted yet; it would`;
  return {
    exit: 'untrusted',
    message,
    details: [
      ...wants,
      '',
      'Nothing of this was done. Review and allow it: aiq trust',
      'For one command: --trust, or AIQ_TRUST=1 in the environment. More: aiq help trust',
      ...(needs.some(({ kind }) => kind === 'text') ? [nameProvider] : []),
    ],
  };
}

function providerReport({ code, message }: ProviderError): Report {
  return { exit: exitOfProvider[code] ?? 'credential', message, details: [] };
}

const exitOfProvider: { readonly [code in ProviderError['code']]?: ExitName } = {
  unknown_provider: 'usage',
  bad_model: 'usage',
  bad_base_url: 'invalid',
};

function modelReport(error: ModelError): Report {
  const needsPerson = error.failure === 'misconfigured' || error.failure === 'exhausted';
  return {
    exit: needsPerson ? 'credential' : 'jobFailed',
    message: error.message,
    details: needsPerson ? ['Without a key: aiq run --provider offline'] : [],
  };
}

const exitOfCode: { readonly [code in ErrorCode]?: ExitName } = {
  UNAUTHORIZED: 'credential',
  NOT_FOUND: 'notFound',
  BAD_REQUEST: 'usage',
  BAD_STATE: 'usage',
  UNSUPPORTED: 'usage',
  BAD_JOB: 'invalid',
  JOB_TOO_LARGE: 'invalid',
  CONFLICT: 'invalid',
  BATCH_REFUSED: 'invalid',
  TOO_MANY_ITEMS: 'invalid',
  TIMEOUT: 'waitTimeout',
};

const fixOfCode: { readonly [code in ErrorCode]?: string } = {
  UNAUTHORIZED:
    'A broker keeps its token in `<its folder>/token`. Name that file, or a copy that you may read: ' +
    'brokerTokenFile in aiq.config.yaml, or AIQ_BROKER_TOKEN_FILE.',
  UNREACHABLE: 'Is it running? See: aiq broker status. To start one: aiq broker start',
  CONFLICT: 'Use another --id, or omit it: the id is then derived from the content.',
  DISK_FULL: 'Free some space on the disk of the broker folder; queued jobs are safe.',
  QUEUE_FULL: 'Let a consumer drain it: aiq run. For its limits: aiq queues show <queue>',
  OUTCOME_UNKNOWN: 'Run the same command again: what already took effect is not done twice.',
};

/** A refused token with the file that it came from; any other error as it is. */
export function withTokenFile(error: unknown, file: string): unknown {
  if (!(error instanceof Error) || (error as Partial<AiqError>).code !== 'UNAUTHORIZED')
    return error;
  const { exit, message, details } = reportOf(error);
  return new CliError(exit, message, [`token from: ${file}`, ...details]);
}

/** Exit name for what the broker or the client answered. */
export function exitOfErrorCode(code: ErrorCode): ExitName {
  return exitOfCode[code] ?? 'broker';
}

function aiqReport(error: AiqError): Report {
  const fix = fixOfCode[error.code];
  return {
    exit: exitOfErrorCode(error.code),
    message: error.message,
    details: [...causes(error), ...(fix === undefined ? [] : [fix])],
  };
}

/** The root cause of an error ("ECONNREFUSED"), unless its message is part of the error's. */
function causes(error: Error): string[] {
  let last: unknown = error;
  while (last instanceof Error && last.cause !== undefined) last = last.cause;
  if (!(last instanceof Error) || last === error || error.message.includes(last.message)) return [];
  return [`because: ${last.message}`];
}

/** Commander's messages start with "error: " and carry its suggestion in a second line. */
function commanderReport(error: Error): Report {
  const [message = '', ...suggestions] = error.message.replace(/^error: /, '').split('\n');
  return {
    exit: 'usage',
    message,
    details: suggestions.map((line) => line.replace(/^\((.*)\)$/, '$1')),
  };
}

/** An error of the file system, such as EACCES or ENOSPC; null for any other error. */
function fileSystemReport(error: NodeJS.ErrnoException): Report | null {
  if (error.syscall === undefined || error.code === undefined) return null;
  const where = error.path === undefined ? '' : `: ${error.path}`;
  return { exit: 'unexpected', message: `${error.code} in ${error.syscall}${where}`, details: [] };
}

function unexpected(error: unknown): Report {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return {
    exit: 'unexpected',
    message: `unexpected: ${text}`,
    details: ['This is a bug in aiq. Run with -v for the stack trace.'],
  };
}
