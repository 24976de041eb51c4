import { writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ConfigError, loadEnvironment, unknownVariables } from '../../../core/config/index.ts';
import { folderWith, load, problemsOf } from './config-folder.ts';

describe('without a file', () => {
  test('everything has a default', () => {
    const root = folderWith({});
    expect(load(root)).toEqual({
      file: null,
      baseDir: root,
      broker: `file:${root}/.aiq`,
      brokerTokenFile: `${root}/.aiq/token`,
      model: null,
      provider: 'auto',
      providers: {},
      agentPaths: [`${root}/agents`],
      output: { dir: `${root}/out` },
      run: {
        concurrency: 8,
        threads: Math.min(availableParallelism(), 4),
        graceMs: 25_000,
        outageMs: 600_000,
      },
      limits: {
        inputBytesMax: 1024 * 1024,
        answerBytesMax: 4 * 1024 * 1024,
        timeoutMs: 120_000,
        idleMs: 60_000,
      },
      prices: {},
      budgets: [],
    });
  });
});

describe('which file counts', () => {
  test('the nearest upwards, and its paths are seen from its own folder', () => {
    const root = folderWith({ 'aiq.config.yaml': 'output: { dir: results }', 'a/b/x.txt': '' });
    const config = load(join(root, 'a/b'));
    expect(config.file).toBe(join(root, 'aiq.config.yaml'));
    expect(config.output.dir).toBe(join(root, 'results'));
    expect(config.broker).toBe(`file:${root}/.aiq`);
  });

  test('none above the repository, but the root of the repository itself', () => {
    const root = folderWith({
      'aiq.config.yaml': 'model: outer',
      'repo/.git/HEAD': '',
      'repo/sub/x.txt': '',
    });
    expect(load(join(root, 'repo/sub')).model).toBe(null);
    const inner = folderWith({ 'aiq.config.yaml': 'model: inner', 'sub/x.txt': '' });
    expect(load(join(inner, 'sub')).model).toBe('inner');
  });

  test("the user's own comes last, and its paths are seen from the working folder", () => {
    const root = folderWith({ 'xdg/aiq/config.yaml': 'model: mine\noutput: { dir: res }' });
    const config = load(root, { env: { XDG_CONFIG_HOME: join(root, 'xdg') } });
    expect(config).toMatchObject({ model: 'mine', baseDir: root, output: { dir: `${root}/res` } });
    const home = folderWith({ 'home/.config/aiq/config.yaml': 'model: homely' });
    expect(load(home).model).toBe('homely');
  });

  test('--config names one, and it must be there', () => {
    const root = folderWith({ 'aiq.config.yaml': 'model: a', 'other/my.yaml': 'model: b' });
    const config = load(root, { file: 'other/my.yaml' });
    expect(config).toMatchObject({ model: 'b', baseDir: join(root, 'other') });
    expect(() => load(root, { file: 'none.yaml' })).toThrow(
      /no configuration file at .*none\.yaml/,
    );
  });

  test('a file with nearly the right name is not passed over in silence', () => {
    const root = folderWith({ 'aiq.config.yml': '' });
    expect(() => load(root)).toThrow(/rename this file to aiq\.config\.yaml/);
  });
});

describe('which value counts', () => {
  test('flags over variables over the file over defaults', () => {
    const root = folderWith({ 'aiq.config.yaml': 'model: file\nrun: { concurrency: 2 }' });
    expect(load(root).model).toBe('file');
    const env = { AIQ_MODEL: 'variable', AIQ_RUN_CONCURRENCY: '3', AIQ_LIMITS_TIMEOUT: '' };
    expect(load(root, { env })).toMatchObject({ model: 'variable', run: { concurrency: 3 } });
    const overrides = { model: 'flag', 'run.concurrency': 4 };
    expect(load(root, { env, overrides })).toMatchObject({
      model: 'flag',
      run: { concurrency: 4 },
      limits: { timeoutMs: 120_000 },
    });
  });

  test('paths of flags and variables are seen from the working folder', () => {
    const root = folderWith({ 'aiq.config.yaml': '', 'sub/x.txt': '' });
    const cwd = join(root, 'sub');
    const config = load(cwd, {
      env: { AIQ_OUTPUT_DIR: 'o', AIQ_AGENT_PATHS: 'a:/b' },
      overrides: { broker: 'file:q' },
    });
    expect(config).toMatchObject({
      output: { dir: join(cwd, 'o') },
      agentPaths: [join(cwd, 'a'), '/b'],
      broker: `file:${cwd}/q`,
    });
  });

  test('threads never outnumber the jobs', () => {
    expect(load(folderWith({}), { overrides: { 'run.concurrency': 1 } }).run.threads).toBe(1);
  });

  test('a folder whose name is a sign of the shell is reached from the working folder', () => {
    const root = folderWith({ 'aiq.config.yaml': "output: { dir: './~/out$' }" });
    expect(load(root).output.dir).toBe(join(root, '~/out$'));
  });

  test.each([
    ['file:/var/aiq', 'file:/var/aiq'],
    ['file:///var/aiq', 'file:/var/aiq'],
    ['unix:/run/aiq.sock', 'unix:/run/aiq.sock'],
    ['tcp://127.0.0.1:7717', 'tcp://127.0.0.1:7717'],
    ['tcp://LOCALHOST:7717/', 'tcp://localhost:7717'],
    ['tcp://[::1]:7717', 'tcp://[::1]:7717'],
  ])('the broker %s is %s', (broker, expected) => {
    expect(load(folderWith({}), { overrides: { broker } }).broker).toBe(expected);
  });
});

describe('.env', () => {
  test('beside the file adds to the environment and never overrides it', () => {
    const root = folderWith({
      'aiq.config.yaml': '',
      '.env': 'AIQ_MODEL=dotted\nOPENAI_API_KEY="k 1" # comment\nAIQ_PROVIDER=openai\n',
      'sub/.env': 'AIQ_MODEL=wrong',
    });
    const request = { cwd: join(root, 'sub'), env: { AIQ_PROVIDER: 'offline' } };
    const { env, envFile } = loadEnvironment(request);
    expect(env).toMatchObject({ OPENAI_API_KEY: 'k 1', AIQ_PROVIDER: 'offline' });
    expect(envFile).toBe(join(root, '.env'));
    expect(process.env['AIQ_MODEL']).toBeUndefined();
    expect(load(join(root, 'sub'), request)).toMatchObject({
      model: 'dotted',
      provider: 'offline',
    });
  });

  test.each([
    ['UTF-8 with a byte order mark', Buffer.from('\ufeffMY_KEY=k1\nOTHER=2\n')],
    ['UTF-16, as PowerShell writes it', Buffer.from('\ufeffMY_KEY=k1\r\nOTHER=2\r\n', 'utf16le')],
    ['UTF-16 the other way round', Buffer.from('\ufeffMY_KEY=k1\nOTHER=2\n', 'utf16le').swap16()],
  ])('loses no variable in %s', (_, bytes) => {
    const root = folderWith({ 'aiq.config.yaml': '' });
    writeFileSync(join(root, '.env'), bytes);
    const { env } = loadEnvironment({ cwd: root, env: {} });
    expect(env).toEqual({ MY_KEY: 'k1', OTHER: '2' });
  });

  test('keys come from it by name only', () => {
    const root = folderWith({
      'aiq.config.yaml': [
        'provider: mine',
        'providers:',
        "  mine: { baseURL: 'http://127.0.0.1:1/v1', apiKey: '${env:MY_KEY}', model: m }",
        "  other: { apiKey: '${env:NOT_SET}' }",
      ].join('\n'),
      '.env': 'MY_KEY=abc',
    });
    expect(load(root).providers).toEqual({
      mine: { baseURL: 'http://127.0.0.1:1/v1', apiKey: 'abc', model: 'm', variables: ['MY_KEY'] },
      other: {
        baseURL: null,
        apiKey: null,
        apiKeyMissing: 'NOT_SET',
        model: null,
        variables: ['NOT_SET'],
      },
    });
  });

  test('providers have headers, parameters and windows of their own; secrets come from variables', () => {
    const root = folderWith({
      'aiq.config.yaml': [
        'providers:',
        '  azure:',
        '    baseURL: https://x.openai.azure.com/openai/deployments/gpt',
        "    headers: { api-key: '${env:AZURE_KEY}', HTTP-Referer: 'https://example.com' }",
        "    query: { api-version: '2024-10-21' }",
        '    contextTokens: { gpt: 8192 }',
        '    requestsPerMinute: 600',
        '    concurrency: 5',
        '  other: { baseURL: http://127.0.0.1:1/v1, headers: { x-key: "${env:NOT_SET}" } }',
        'prices: { gpt: { input: 1, output: 8, cachedInput: 0.1, reasoning: 9 } }',
      ].join('\n'),
      '.env': 'AZURE_KEY=abc',
    });
    const { providers, prices } = load(root);
    expect(providers['azure']).toMatchObject({
      apiKey: null,
      headers: { 'api-key': 'abc', 'HTTP-Referer': 'https://example.com' },
      query: { 'api-version': '2024-10-21' },
      contextTokens: { gpt: 8192 },
      limits: { requestsPerMinute: 600, tokensPerMinute: null, concurrency: 5 },
    });
    expect(providers['other']?.limits).toBeUndefined();
    expect(providers['other']?.apiKeyMissing).toBe('NOT_SET');
    expect(prices['gpt']).toEqual({ input: 1, output: 8, cachedInput: 0.1, reasoning: 9 });
  });
});

describe('a setting that cannot be used', () => {
  test.each<[string, string]>([
    ['modle: x', '1:1: unknown setting "modle". Did you mean "model"?'],
    [
      'providers: { a: { tokensPerMinute: 0 } }',
      '1:36: "providers.a.tokensPerMinute": 0 is not a whole number from 1',
    ],
    [
      'run:\n  concurency: 3',
      '2:3: unknown setting "run.concurency". Did you mean "run.concurrency"?',
    ],
    ['concurrency: 3', '1:1: unknown setting "concurrency": it belongs at "run.concurrency"'],
    ['run: 5', '1:6: "run" must be a mapping of settings'],
    [
      'run:\n  concurrency: many',
      '2:16: "run.concurrency": "many" is not a whole number from 1 to 1024',
    ],
    ['run: { concurrency: 0 }', '1:21: "run.concurrency": 0 is not a whole number from 1 to 1024'],
    [
      'limits: { timeout: 2 minutes }',
      '1:20: "limits.timeout": "2 minutes" is not a duration such as 90s, 5m or 1h',
    ],
    [
      'limits: { timeout: 0s }',
      '1:20: "limits.timeout": "0s" is not a duration such as 90s, 5m or 1h',
    ],
    ['limits: { timeout: 999999d }', '1:20: "limits.timeout": "999999d" is longer than 1000 years'],
    [
      'limits: { inputBytesMax: 65MiB }',
      '1:26: "limits.inputBytesMax": "65MiB" is not a size up to 64MiB, such as 512KiB',
    ],
    ['agentPaths: agents\nmodel: [x]', '2:8: "model": ["x"] is not a text'],
    ['output: { dir: 5 }', '1:16: "output.dir": 5 is not a path'],
    [
      "output: { dir: '~/out' }",
      '1:16: "output.dir": "~/out" is not a path: only a shell knows ~; write the folder in full, or ./~/out for one of that name',
    ],
    [
      "agentPaths: [a, '~me']",
      '1:13: "agentPaths": "~me" is not a path: only a shell knows ~; write the folder in full, or ./~me for one of that name',
    ],
    [
      "output: { dir: '${HOME}/out' }",
      '1:16: "output.dir": "${HOME}/out" is not a path: variables are not filled in here; write the folder in full',
    ],
    [
      "brokerTokenFile: '/run/$USER/token'",
      '1:18: "brokerTokenFile": "/run/$USER/token" is not a path: variables are not filled in here; write the folder in full',
    ],
    [
      "broker: 'file:~/b'",
      '1:9: "broker": "~/b" is not a path: only a shell knows ~; write the folder in full, or ./~/b for one of that name',
    ],
    [
      "broker: 'unix:${env:RUN}/b'",
      '1:9: "broker": "${env:RUN}/b" is not a path: variables are not filled in here; write the folder in full',
    ],
    [
      "broker: 'file://./b'",
      '1:9: "broker": "file://./b" is no folder: the name after // is a machine; write file:./b',
    ],
    [
      'broker: "nats://a:4222"',
      '1:9: "broker": "nats://a:4222": NATS is not in this version of aiq; file:<folder>, unix:<socket> or tcp://127.0.0.1:<port>',
    ],
    [
      'broker: redis',
      '1:9: "broker": "redis" is not an address: file:<folder>, unix:<socket> or tcp://127.0.0.1:<port>',
    ],
    [
      'broker: "file:"',
      '1:9: "broker": "file:" names no path: file:<folder>, unix:<socket> or tcp://127.0.0.1:<port>',
    ],
    [
      'broker: "tcp://10.0.0.1:7717"',
      '1:9: "broker": "tcp://10.0.0.1:7717": this version of aiq talks to brokers on this machine only',
    ],
    [
      'broker: "tcp://127.0.0.1:99999"',
      '1:9: "broker": "tcp://127.0.0.1:99999" is not an address like tcp://127.0.0.1:7717',
    ],
    [
      'provider: opnai',
      '1:11: "provider": "opnai" is no provider (auto, openai, offline, local). Did you mean openai?',
    ],
    [
      'providers: { a: { baseUrl: x } }',
      '1:19: unknown setting "providers.a.baseUrl". Did you mean "providers.a.baseURL"?',
    ],
    [
      'providers: { a: { headers: { api-key: abc } } }',
      `1:39: "providers.a.headers.api-key" must not hold a key; write '\${env:NAME}' and put the key into the environment or into .env`,
    ],
    [
      'providers: { a: { headers: { "x y": abc } } }',
      '1:37: "providers.a.headers.x y" is no name of a header or parameter',
    ],
    [
      'providers: { a: { query: { v: 2 } } }',
      '1:31: "providers.a.query.v" is not a text; put it in quotes',
    ],
    [
      'providers: { a: { contextTokens: { m: 8k } } }',
      '1:39: "providers.a.contextTokens.m": "8k" is not a number of tokens',
    ],
    [
      'prices: { m: { input: 1, output: 1, reasoning: -1 } }',
      '1:48: "prices.m.reasoning": -1 is not a price',
    ],
    [
      'providers: { a: { baseURL: x } }',
      '1:28: "providers.a.baseURL": "x" is not an address like http://127.0.0.1:11434/v1',
    ],
    [
      'providers: { a: { baseURL: "http://u:p@h/" } }',
      '1:28: "providers.a.baseURL": credentials do not belong into an address; use apiKey',
    ],
    ['providers: [a]', '1:12: "providers" must be a mapping'],
    ['prices: { m: { input: -1, output: 1 } }', '1:23: "prices.m.input": -1 is not a price'],
    ['prices: { m: { input: 1 } }', '1:14: "prices.m.output" is missing'],
    [
      'a: [',
      '1:5: Flow sequence in block collection must be sufficiently indented and end with a ]',
    ],
    ['[a]', '1:1: the file must be a mapping of settings'],
    ['__proto__: { x: 1 }', '1:1: the key "__proto__" is not allowed anywhere in a file'],
    ['model: a\nmodel: b', '2:1: the key "model" appears twice'],
  ])('%s', (text, expected) => {
    expect(problemsOf(text)).toEqual([expected]);
  });

  test('a key written out is refused, and never repeated', () => {
    const [problem] = problemsOf('providers: { a: { apiKey: sk-secret-123 } }');
    expect(problem).toMatch(
      /^1:27: "providers\.a\.apiKey" must not hold a key; write '\$\{env:NAME\}'/,
    );
    expect(problem).not.toContain('secret');
  });

  test('names the variable or the flag that holds it', () => {
    expect(
      problemsOf('', { env: { AIQ_RUN_CONCURRENCY: 'many', AIQ_BROKER: 'nats://x' } }),
    ).toEqual([
      expect.stringMatching(/^AIQ_(RUN_CONCURRENCY|BROKER): /),
      expect.stringMatching(/^AIQ_(RUN_CONCURRENCY|BROKER): /),
    ]);
    expect(problemsOf('', { env: { AIQ_OUTPUT_DIR: '~/o' } })).toEqual([
      expect.stringMatching(/^AIQ_OUTPUT_DIR: "~\/o" is not a path/),
    ]);
    expect(problemsOf('', { overrides: { 'run.threads': 0 } })).toEqual([
      '"run.threads" on the command line: 0 is not a whole number from 1 to 64',
    ]);
  });

  test('is told together with all others', () => {
    expect(problemsOf('modle: x\nbrokr: y\nrun: { threads: no }')).toHaveLength(3);
    expect(() => load(folderWith({ 'aiq.config.yaml': 'a: 1\nb: 2' }))).toThrow(ConfigError);
  });
});

test('variables that begin like ours but are no settings are told, with what was meant', () => {
  const env = { AIQ_RUN_CONCURRENCY: '2', AIQ_OFFLINE: '0', AIQ_COLOR: 'never', PATH: '/bin' };
  expect(unknownVariables(env)).toEqual([]);
  expect(unknownVariables({ ...env, AIQ_RUN_CONCURENCY: '2', AIQ_Z: '' })).toEqual([
    'the variable AIQ_RUN_CONCURENCY is no setting. Did you mean AIQ_RUN_CONCURRENCY?',
    'the variable AIQ_Z is no setting.',
  ]);
});
