/** Topics of `aiq help <topic>`: what holds for all commands. */

import { exitCodes } from '../exit-codes.ts';

const inputTopic = `Where the input of a job comes from

  aiq enqueue summarize article.txt            one job; the file's text fills the agent's
                                               primary property
  aiq enqueue summarize docs/*.md              one job per file; quoted or not
  cat article.txt | aiq enqueue summarize      standard input, when it is a pipe or a file
                                               and the agent needs that property
  aiq enqueue summarize -                      standard input, always
  aiq enqueue summarize --text "…"             the text itself
  aiq enqueue summarize --style prose …        properties of the agent's schema are flags
      --style @style.txt                       @file reads the value, @- standard input,
                                               @@x is a literal @x
  aiq enqueue summarize --set points:=7 …      any property; := takes JSON
  aiq enqueue summarize --data @input.json     the whole input as JSON
  aiq enqueue summarize --jsonl jobs.jsonl     one job per line: the input itself, or
                                               {"input": {…}, "id": "…", "agent": "…"}

Own flags win over --set, that over --data, and that over the schema's defaults.
Files must be UTF-8 text. Everything is checked before anything is queued; only --jsonl
queues the good lines and reports the bad ones with their numbers (exit code 9).`;

const trustTopic = `What a folder may do with your keys and with code

A folder that you did not write may name a server for your keys, or bring tool modules, which
are code. Before aiq sends a key to an address that you have not allowed, or runs a module, it
asks: once for each folder, at a terminal, with each variable and its address, and each module.

  aiq trust             shows what this folder would do, and allows it
  aiq trust --list      what was allowed, for all folders
  aiq trust --remove    forgets it for this folder
  aiq --trust …         allows it for one command; AIQ_TRUST=1 in the environment does, too

Without a terminal it is refused with exit code 77. Prompts, schemas and the text of your
modules change freely; a new address, variable or module asks again. Allowed without asking:

  OPENAI_API_KEY to https://api.openai.com, and to OPENAI_BASE_URL of the environment itself
  what providers of your own configuration (~/.config/aiq/config.yaml) put together
  keys that a .env file brings itself; no .env can allow anything, or redirect another key

Files of another user (aiq.config.yaml, .env, agents) need the same permission, and so does
provider auto before it sends texts to a server on this machine that it only found.`;

/** Variables that aiq reads. `docs/reference/cli.md` repeats the table; a test compares them. */
export const environmentVariables: readonly (readonly [name: string, meaning: string])[] = [
  ['OPENAI_API_KEY', 'Key of the OpenAI provider; with it, provider auto means openai.'],
  ['OPENAI_BASE_URL', 'Another OpenAI-compatible server for provider openai.'],
  ['AIQ_<SETTING>', 'Any setting of aiq.config.yaml: run.concurrency is AIQ_RUN_CONCURRENCY.'],
  ['AIQ_BROKER_TOKEN_FILE', 'File with the token of a tcp:// broker: its <folder>/token.'],
  ['AIQ_OFFLINE', '0: never fall to the offline provider unless it is asked for by name.'],
  ['NODE_ENV', 'production: the same.'],
  ['AIQ_TRUST', '1: let folders send keys and run code, as --trust. Not from .env.'],
  ['AIQ_COLOR', 'auto, always or never, as --color.'],
  ['NO_COLOR, FORCE_COLOR', 'Colours off or on; --color and AIQ_COLOR win.'],
  ['XDG_CONFIG_HOME', 'Where aiq/config.yaml is looked for when no folder upwards has one.'],
  ['XDG_CACHE_HOME', 'Where aiq/ keeps what makes the next start quick; ~/.cache otherwise.'],
  ['XDG_STATE_HOME', 'Where aiq/trust/ keeps what was allowed; ~/.local/state otherwise.'],
];

function columns(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, meaning]) => `  ${name.padEnd(width)}  ${meaning}`).join('\n');
}

/** Text of each topic. */
export const helpTopics: Readonly<Record<string, () => string>> = {
  'exit-codes': () =>
    `Exit codes\n\n${columns(
      Object.values(exitCodes).map(({ code, meaning }) => [String(code).padStart(3), meaning]),
    )}`,
  environment: () =>
    `Environment variables\n\n${columns(environmentVariables)}\n
Flags win over variables, variables over aiq.config.yaml, which is looked up from the
working folder upwards. A .env file beside it adds variables that are not set.`,
  input: () => inputTopic,
  trust: () => trustTopic,
};
