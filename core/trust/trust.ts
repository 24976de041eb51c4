/**
 * Whether a folder may send keys and run code: what the user's own environment and configuration
 * allow, what a person allowed before, and a question where one can be asked.
 */

import { realpathSync } from 'node:fs';
import { resolve } from 'node:path';
import { type Config, type LoadedEnvironment, ownProviders } from '../config/index.ts';
import { keyOf, type Need, needText } from './need.ts';
import { readRecord, recordsFolder, writeRecord } from './records.ts';

export interface Trust {
  /** Real path of the folder in question. */
  readonly folder: string;
  /** Of these, each once, what the user's own environment and configuration do not allow already. */
  unowned(needs: readonly Need[]): Need[];
  /** Of those, what is not allowed. */
  missing(needs: readonly Need[]): Need[];
  /**
   * Returns when all of these are allowed, after a question where one can be asked.
   * @throws TrustError
   */
  allow(needs: readonly Need[]): Promise<void>;
  /** The same without asking anyone. */
  readonly silent: Trust;
}

export interface TrustOptions {
  readonly config: Pick<Config, 'baseDir'>;
  /** The process's own. */
  readonly env: LoadedEnvironment['env'];
  /** Names that `.env` brings: their values are the folder's own. */
  readonly brought: LoadedEnvironment['brought'];
  /** True where the person allowed it with the command. */
  readonly isGiven: boolean;
  readonly question: Question | null;
}

/** How a person is asked. */
export interface Question {
  /** All that the folder may need, so that one question is enough. */
  readonly everything: () => Promise<readonly Need[]>;
  readonly ask: (folder: string, needs: readonly Need[]) => Promise<boolean>;
  /** Called when a yes cannot be remembered. */
  readonly onForgotten: (reason: string) => void;
}

/** A folder was not allowed what it needs. */
export class TrustError extends Error {
  readonly folder: string;
  readonly needs: readonly Need[];
  /** What it would do, one line each. */
  readonly wants: readonly string[];
  /** True when a person was asked, and did not say yes. */
  readonly wasAsked: boolean;

  constructor(folder: string, needs: readonly Need[], wasAsked: boolean) {
    const wants = needs.map((need) => needText(need, folder));
    const why = wasAsked ? 'was not allowed to' : 'is not trusted yet; it would';
    super(`${folder} ${why} ${wants.join(', and ')}`);
    this.name = 'TrustError';
    this.folder = folder;
    this.needs = needs;
    this.wants = wants;
    this.wasAsked = wasAsked;
  }
}

/** The variable that allows everything; only in the environment itself, never in `.env`. */
export function isTrustGiven(env: LoadedEnvironment['env']): boolean {
  return env['AIQ_TRUST'] === '1';
}

export function createTrust(options: TrustOptions): Trust {
  const { question, env, isGiven } = options;
  const folder = realFolder(options.config.baseDir);
  const records = recordsFolder(env);
  const own = ownKeys(env);
  /** What could not be remembered. */
  const allowedNow: Need[] = [];
  const isOwn = (need: Need): boolean =>
    need.kind === 'key' && (options.brought.has(need.variable) || own(need));
  const unowned = (needs: readonly Need[]): Need[] => [
    ...new Map(needs.filter((need) => !isOwn(need)).map((need) => [keyOf(need), need])).values(),
  ];
  const missing = (needs: readonly Need[]): Need[] => {
    const open = unowned(needs);
    if (isGiven || open.length === 0) return [];
    const known = new Set([...readRecord(records, folder), ...allowedNow].map(keyOf));
    return open.filter((need) => !known.has(keyOf(need)));
  };
  const allow = async (needs: readonly Need[], asked: Question | null): Promise<void> => {
    const open = missing(needs);
    if (open.length === 0) return;
    if (asked === null) throw new TrustError(folder, open, false);
    const all = missing([...open, ...(await asked.everything())]);
    if (!(await asked.ask(folder, all))) throw new TrustError(folder, all, true);
    try {
      writeRecord(records, folder, [...readRecord(records, folder), ...all]);
    } catch (error) {
      asked.onForgotten((error as Error).message);
      allowedNow.push(...all);
    }
  };
  let line: Promise<unknown> = Promise.resolve();
  const silent: Trust = {
    folder,
    unowned,
    missing,
    allow: (needs) => allow(needs, null),
    get silent() {
      return silent;
    },
  };
  return {
    ...silent,
    // One question at a time; the yes to one may answer the next.
    allow(needs) {
      const turn = line.then(() => allow(needs, question));
      line = turn.catch(() => undefined);
      return turn;
    },
    silent,
  };
}

/** Existing or not: what is missing allows and needs nothing. */
function realFolder(dir: string): string {
  try {
    return realpathSync(dir);
  } catch {
    return resolve(dir);
  }
}

/** What belongs to OpenAI's own address, and to the one that the environment names. */
const openAiVariables = [
  'OPENAI_API_KEY',
  'OPENAI_ORG_ID',
  'OPENAI_PROJECT_ID',
  'OPENAI_CUSTOM_HEADERS',
];
const openAiOrigin = /^https:\/\/([\w-]+\.)*api\.openai\.com$/;

/** The keys and addresses that the user's own environment and configuration put together. */
function ownKeys(env: TrustOptions['env']): (need: Need & { kind: 'key' }) => boolean {
  const pairs = new Set<string>();
  const base = env['OPENAI_BASE_URL'] ?? '';
  if (URL.canParse(base)) {
    const { origin } = new URL(base);
    for (const variable of openAiVariables) pairs.add(keyOf({ kind: 'key', variable, origin }));
  }
  let providers: ReturnType<typeof ownProviders> | null = null;
  return (need) => {
    if (pairs.has(keyOf(need))) return true;
    if (openAiVariables.includes(need.variable) && openAiOrigin.test(need.origin)) return true;
    providers ??= ownProviders(env);
    return Object.entries(providers).some(([name, { baseURL, variables = [] }]) => {
      if (!variables.includes(need.variable)) return false;
      if (baseURL === null) return name === 'openai' && openAiOrigin.test(need.origin);
      return new URL(baseURL).origin === need.origin;
    });
  };
}
