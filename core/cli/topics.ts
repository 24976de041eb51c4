/** Topics of `aiq help <topic>`: what holds for all commands. */

import { exitCodes } from './exit-codes.ts';

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

/** Variables that aiq reads. `docs/cli.md` repeats the table; a test compares them. */
export const environmentVariables: readonly (readonly [name: string, meaning: string])[] = [
  ['OPENAI_API_KEY', 'Key of the OpenAI provider; with it, provider auto means openai.'],
  ['OPENAI_BASE_URL', 'Another OpenAI-compatible server for provider openai.'],
  ['AIQ_<SETTING>', 'Any setting of aiq.config.yaml: run.concurrency is AIQ_RUN_CONCURRENCY.'],
  ['AIQ_BROKER_TOKEN_FILE', 'File with the token of a tcp:// broker: its <folder>/token.'],
  ['AIQ_OFFLINE', '0: never fall to the offline provider unless it is asked for by name.'],
  ['NODE_ENV', 'production: the same.'],
  ['AIQ_COLOR', 'auto, always or never, as --color.'],
  ['NO_COLOR, FORCE_COLOR', 'Colours off or on; --color and AIQ_COLOR win.'],
  ['XDG_CONFIG_HOME', 'Where aiq/config.yaml is looked for when no folder upwards has one.'],
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
};
