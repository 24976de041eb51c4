/** What is asked, what is remembered and what of that is believed. */

import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import {
  createTrust,
  listRecords,
  type Need,
  recordsFolder,
  type Trust,
  TrustError,
  type TrustOptions,
  writeRecord,
} from '../../../core/trust/index.ts';
import { folderWith } from '../config/config-folder.ts';

const key = (variable: string, origin = 'https://models.example'): Need => {
  return { kind: 'key', variable, origin };
};
const code: Need = { kind: 'code', module: '/x/tool.mjs' };

let root: string;
let env: { [name: string]: string };
/** What was asked, and how that is answered. */
let asked: Need[][];
let yes: boolean;

beforeEach(() => {
  root = folderWith({ 'project/a.txt': '' });
  env = { HOME: join(root, 'home') };
  asked = [];
  yes = true;
});

function trust(options: Partial<TrustOptions> = {}, everything: readonly Need[] = []): Trust {
  return createTrust({
    config: { baseDir: join(root, 'project') },
    env,
    brought: new Set(),
    isGiven: false,
    question: {
      everything: () => Promise.resolve(everything),
      ask: (_, needs) => {
        asked.push([...needs]);
        return Promise.resolve(yes);
      },
      onForgotten: (reason) => expect.unreachable(reason),
    },
    ...options,
  });
}

test('one question names all that the folder would do, and its yes is remembered', async () => {
  const first = trust({}, [key('A'), key('B'), code]);
  await Promise.all([first.allow([key('A')]), first.allow([code])]);
  expect(asked).toEqual([[key('A'), key('B'), code]]);
  await trust({ question: null }).allow([code, key('B'), key('A')]);
  const refused = trust({ question: null }).allow([key('A'), key('C'), key('A', 'https://b')]);
  await expect(refused).rejects.toMatchObject({
    name: 'TrustError',
    wants: ['send C to https://models.example', 'send A to https://b'],
  });
  await trust().allow([key('C')]);
  expect(asked).toHaveLength(2);
  await trust({ question: null }).allow([code, key('A'), key('B'), key('C')]);
});

test('no is no, is asked again, and never in silence', async () => {
  yes = false;
  await expect(trust().allow([code])).rejects.toMatchObject({ wasAsked: true });
  await expect(trust().silent.allow([code])).rejects.toMatchObject({ wasAsked: false });
  await expect(trust().allow([code])).rejects.toThrow(TrustError);
  expect(asked).toHaveLength(2);
});

test('another folder is another question', async () => {
  await trust().allow([code]);
  mkdirSync(join(root, 'other'));
  const other = trust({ config: { baseDir: join(root, 'other') }, question: null });
  await expect(other.allow([code])).rejects.toThrow(TrustError);
});

test.each<[string, Need, Partial<TrustOptions>, boolean]>([
  ['a key to OpenAI', key('OPENAI_API_KEY', 'https://api.openai.com'), {}, true],
  ['a key to a region of it', key('OPENAI_API_KEY', 'https://eu.api.openai.com'), {}, true],
  ['another key to OpenAI', key('OTHER', 'https://api.openai.com'), {}, false],
  ['a key to OpenAI in clear', key('OPENAI_API_KEY', 'http://api.openai.com'), {}, false],
  ['a key to what looks like it', key('OPENAI_API_KEY', 'https://api.openai.com.x.org'), {}, false],
  ['a key that .env brings', key('A'), { brought: new Set(['A']) }, true],
  ['one beside it', key('B'), { brought: new Set(['A']) }, false],
  ['what was given with the command', code, { isGiven: true }, true],
])('%s is allowed or not, without a question', (_, need, options, isAllowed) => {
  expect(trust(options).missing([need])).toEqual(isAllowed ? [] : [need]);
});

test("the environment's own address has the environment's own key, and no other", () => {
  env['OPENAI_BASE_URL'] = 'https://gateway.example/v1';
  const needs = [
    key('OPENAI_API_KEY', 'https://gateway.example'),
    key('A', 'https://gateway.example'),
  ];
  expect(trust().missing(needs)).toEqual(needs.slice(1));
});

test("the user's own configuration allows what it puts together, unless others may change it", () => {
  const file = join(root, 'home/.config/aiq/config.yaml');
  mkdirSync(join(root, 'home/.config/aiq'), { recursive: true });
  writeFileSync(
    file,
    "providers: { mine: { baseURL: 'https://models.example/v1', apiKey: '${env:A}' } }\n",
    { mode: 0o600 },
  );
  expect(trust().missing([key('A'), key('B')])).toEqual([key('B')]);
  chmodSync(file, 0o666);
  expect(trust().missing([key('A')])).toEqual([key('A')]);
});

test('what is remembered is for its owner alone, whole, and believed only as it was written', async () => {
  await trust().allow([code]);
  const dir = recordsFolder(env);
  const [name = ''] = readdirSync(dir);
  const file = join(dir, name);
  expect([statSync(dir).mode & 0o777, statSync(file).mode & 0o777]).toEqual([0o700, 0o600]);
  const text = readFileSync(file, 'utf8');
  const changes: (() => void)[] = [
    () => chmodSync(file, 0o622),
    () => writeFileSync(file, text.replace('tool.mjs', 'evil.mjs')),
    () => writeFileSync(file, text.slice(0, -9)),
  ];
  for (const change of changes) {
    writeFileSync(file, text);
    chmodSync(file, 0o600);
    expect(trust().missing([code])).toEqual([]);
    change();
    expect(trust().missing([code])).toEqual([code]);
    expect(listRecords(dir)).toEqual([]);
  }
});

test('where nothing can be remembered, a yes holds for this time', async () => {
  mkdirSync(join(root, 'home/.local'), { recursive: true });
  writeFileSync(join(root, 'home/.local/state'), 'a file in its way');
  const reasons: string[] = [];
  const ask = () => Promise.resolve(true);
  const everything = () => Promise.resolve([]);
  const onForgotten = (reason: string): void => void reasons.push(reason);
  const here = trust({ question: { everything, ask, onForgotten } });
  await here.allow([code]);
  await here.silent.allow([code]);
  expect(reasons).toEqual([expect.stringContaining('ENOTDIR')]);
});

test('a record is listed by its folder, the newest in place of the one before', () => {
  const dir = recordsFolder({ XDG_STATE_HOME: join(root, 'state') });
  writeRecord(dir, '/b', [code]);
  writeRecord(dir, '/a', [code]);
  writeRecord(dir, '/a', [key('A')]);
  expect(listRecords(dir).map(({ folder, needs }) => [folder, needs])).toEqual([
    ['/a', [key('A')]],
    ['/b', [code]],
  ]);
});
