/** Where each setting comes from: flag over variable over file over default, with its place. */

import { expect, test } from 'vitest';
import { type ExplainedSetting, explainConfig, settingPaths } from '../../../core/config/index.ts';
import { type Extras, folderWith } from './config-folder.ts';

function explain(cwd: string, extras: Extras = {}): Map<string, ExplainedSetting> {
  const settings = explainConfig({ cwd, ...extras, env: { HOME: cwd, ...extras.env } });
  return new Map(settings.map((setting) => [setting.path, setting]));
}

test('every setting is told once, and those nobody wrote are defaults', () => {
  const settings = explain(folderWith({}));
  expect([...settings.keys()]).toEqual([...settingPaths]);
  for (const { origin } of settings.values())
    expect(origin).toEqual({ from: 'default', place: '' });
});

test('the strongest place counts, with the value as it was written and as it holds', () => {
  const root = folderWith({
    'aiq.config.yaml': 'run:\n  grace: 5s\n  concurrency: 4\noutput: { dir: results }\n',
    '.env': 'AIQ_RUN_CONCURRENCY=6\nAIQ_MODEL=m1\n',
  });
  const settings = explain(root, { env: { AIQ_MODEL: 'm2' }, overrides: { 'run.threads': '3' } });
  expect(settings.get('run.grace')).toEqual({
    path: 'run.grace',
    value: 5000,
    written: '5s',
    origin: { from: 'file', place: `${root}/aiq.config.yaml:2` },
  });
  expect(settings.get('run.concurrency')).toMatchObject({
    value: 6,
    origin: { from: 'variable', place: `AIQ_RUN_CONCURRENCY in ${root}/.env` },
  });
  expect(settings.get('model')).toMatchObject({
    value: 'm2',
    origin: { from: 'variable', place: 'AIQ_MODEL' },
  });
  expect(settings.get('run.threads')).toMatchObject({ value: 3, origin: { from: 'flag' } });
  expect(settings.get('output.dir')).toMatchObject({
    value: `${root}/results`,
    written: 'results',
    origin: { place: `${root}/aiq.config.yaml:4` },
  });
});

test('of providers and prices only what is written is told, and never a key', () => {
  const root = folderWith({
    'aiq.config.yaml': `providers:
  my.server:
    baseURL: http://127.0.0.1:1/v1
    apiKey: '\${env:MY_KEY}'
  other:
    baseURL: http://127.0.0.1:2/v1
    apiKey: '\${env:NO_KEY}'
prices:
  gpt-5.1: { input: 1, output: 2 }
`,
  });
  const settings = explain(root, { env: { MY_KEY: 'sk-very-secret' } });
  const rest = [...settings.values()].slice(settingPaths.length);
  expect(rest.map(({ path, value, origin }) => [path, value, origin.place])).toEqual([
    ['providers.my.server.baseURL', 'http://127.0.0.1:1/v1', `${root}/aiq.config.yaml:3`],
    ['providers.my.server.apiKey', 'set', `${root}/aiq.config.yaml:4`],
    ['providers.other.baseURL', 'http://127.0.0.1:2/v1', `${root}/aiq.config.yaml:6`],
    ['providers.other.apiKey', 'missing', `${root}/aiq.config.yaml:7`],
    ['prices.gpt-5.1.input', 1, `${root}/aiq.config.yaml:9`],
    ['prices.gpt-5.1.output', 2, `${root}/aiq.config.yaml:9`],
  ]);
  expect(JSON.stringify(rest)).not.toContain('sk-very-secret');
});

test('a configuration that cannot be used is refused as by every command', () => {
  const root = folderWith({ 'aiq.config.yaml': 'run: { concurrency: 0 }\n' });
  expect(() => explain(root)).toThrow('run.concurrency');
});
