/** The everyday path as a user walks it: add, run, add again, wait; real processes in a real folder. */

import { execFile } from 'node:child_process';
import { cp, mkdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EndpointProcess, Project, until } from '../../support/project.ts';

const texts = fileURLToPath(new URL('../../../examples/texts/', import.meta.url));
const bin = fileURLToPath(new URL('../../../bin/aiq.js', import.meta.url));
const label = '<!-- made by aiq-offline: extracted, not written by a model -->';

let endpoint: EndpointProcess;
let project: Project;

beforeAll(async () => {
  endpoint = await EndpointProcess.start('aiq-offline');
  project = await Project.make(endpoint.env);
  await cp(join(texts, 'roosevelt-four-freedoms.txt'), join(project.dir, 'article.txt'));
  for (const name of ['one', 'two', 'three']) {
    await project.write(
      `${name}.txt`,
      `The ${name} mill burned in 1901. It was rebuilt. It shut.\n`,
    );
  }
});

afterAll(async () => {
  await project.remove();
  await endpoint.stop();
});

/** `aiq …` behind a shell pipe or redirection, where standard input is a FIFO or a file. */
async function shell(script: string): Promise<{ stdout: string; stderr: string }> {
  const env = { PATH: process.env['PATH'], HOME: project.dir, ...endpoint.env };
  const aiq = `'${process.execPath}' '${bin}'`;
  return promisify(execFile)('sh', ['-c', script.replaceAll('aiq ', `${aiq} `)], {
    cwd: project.dir,
    env,
  });
}

const drain = ['run', '--agents', 'summarize', '--until-empty'];

describe('one file', () => {
  let id: string;

  test('is queued with its id alone on standard output, and a hint that nobody works', async () => {
    const added = await project.aiq('enqueue', 'summarize', '--input', 'article.txt');
    expect(added, added.stderr).toMatchObject({ code: 0 });
    expect(added.stdout).toMatch(/^[0-9a-hjkmnp-tv-z]{12}\n$/);
    expect(added.stderr).toContain('no worker is running for "summarize". Start one: aiq run');
    id = added.stdout.trim();
  });

  test('added again is the same job', async () => {
    const again = await project.aiq('enqueue', 'summarize', 'article.txt');
    expect(again.stdout.trim()).toBe(id);
    expect(again.stderr).toContain(`already queued: ${id}`);
  });

  test('becomes a file, and the run says so', async () => {
    const ran = await project.aiq(...drain);
    expect(ran, ran.stderr).toMatchObject({ code: 0, stdout: '' });
    const file = `summaries/article-${id}.md`;
    expect(ran.stderr).toMatch(/^provider: /m);
    expect(ran.stderr).toMatch(new RegExp(`^ok +${id} .*-> out/${file}`, 'm'));
    expect(await project.read('out', file)).toContain(label);
  });

  test('added once more calls no model and names the file', async () => {
    const calls = (await endpoint.started()).length;
    const again = await project.aiq('enqueue', 'summarize', 'article.txt', '--wait');
    expect(again, again.stderr).toMatchObject({ code: 0 });
    expect(again.stderr).toContain(`already done: out/summaries/article-${id}.md`);
    expect(again.stdout).toContain(label);
    expect(await endpoint.started()).toHaveLength(calls);
  });

  test('is told to be gone when its file was removed, and --force makes it anew', async () => {
    await rm(join(project.dir, 'out', 'summaries', `article-${id}.md`));
    const again = await project.aiq('enqueue', 'summarize', 'article.txt');
    expect(again.stderr).toMatch(/article-.*\.md no longer exists.*--force/);
    const forced = await project.aiq('enqueue', 'summarize', 'article.txt', '--force', '--wait');
    expect(forced, forced.stderr).toMatchObject({ code: 0 });
    expect(forced.stdout).toContain(label);
  });

  test('is listed and shown, also by a short beginning of its id', async () => {
    const listed = await project.aiq('jobs', 'list', '--state', 'done');
    expect(listed.stdout).toMatch(new RegExp(`^${id}\tsummarize\tdone\t`, 'm'));
    const shown = await project.aiq('jobs', 'show', id.slice(0, 8), '--json');
    expect(JSON.parse(shown.stdout)).toMatchObject({
      shortId: id,
      state: 'done',
      source: 'article',
    });
  });
});

test('run first, enqueue afterwards: the running consumer does it', async () => {
  const running = project.start('run', '--agents', 'summarize', '--json');
  await until('a worker', async () =>
    (await project.aiq('broker', 'status', '--json')).stdout.includes('"consumers": 1'),
  );
  const added = await project.aiq('enqueue', 'summarize', 'one.txt', '--points', '1', '--wait');
  expect(added, added.stderr).toMatchObject({ code: 0 });
  expect(added.stdout).toContain(label);
  expect(added.stderr).not.toContain('provider:');
  running.child.kill('SIGINT');
  const ended = await running.finished;
  expect(ended, ended.stderr).toMatchObject({ code: 0 });
  expect(
    ended.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line)),
  ).toEqual([expect.objectContaining({ agent: 'summarize', outcome: 'ack', source: 'one' })]);
});

describe('--wait', () => {
  test('works on the job itself when nobody else does, and prints the result alone', async () => {
    const waited = await project.aiq('enqueue', 'summarize', 'two.txt', '--wait');
    expect(waited, waited.stderr).toMatchObject({ code: 0 });
    expect(waited.stdout).toMatch(/^- The two mill burned in 1901\./);
    expect(waited.stderr).toMatch(/^wrote out\/summaries\/two-/m);
  });

  test('of several jobs heads each result with its file', async () => {
    const waited = await project.aiq('enqueue', 'summarize', '*.txt', '--points', '2', '--wait');
    expect(waited.stdout.match(/^==> out\/summaries\/.*\.md <==$/gm)).toHaveLength(4);
  });

  test('gives up in time with exit 8, and the job lives on', async () => {
    const slow = await EndpointProcess.start('aiq-offline?latency=60s');
    const elsewhere = await Project.make(slow.env);
    try {
      const args = ['enqueue', 'summarize', '--text', 'A text.', '--wait', '--timeout', '1s'];
      const waited = await elsewhere.aiq(...args);
      expect(waited, waited.stderr).toMatchObject({ code: 8, stdout: '' });
      expect(waited.stderr).toMatch(/gave up waiting after 1\.0 s/);
      const { stdout } = await elsewhere.aiq('jobs', 'list', '--json');
      expect(JSON.parse(stdout)).toMatchObject({
        attempts: 0,
        state: expect.stringMatching(/ready|delayed|leased/),
      });
    } finally {
      await elsewhere.remove();
      await slow.stop();
    }
  });

  test('fails with 7 when the job fails, and --until-empty tells it too', async () => {
    await agentFile(
      'failing',
      manifest('{{input.word}}').replace('prompt:', 'model: "aiq-offline?error=400:1"\nprompt:'),
    );
    const waited = await project.aiq('enqueue', 'failing', '--word', 'x', '--wait');
    expect(waited, waited.stderr).toMatchObject({ code: 7, stdout: '' });
    expect(waited.stderr).toMatch(/^dead +[0-9a-z]{12} +failing/m);
    const [, id = ''] = /^dead +(\S+)/m.exec(waited.stderr) ?? [];
    const quietly = await Promise.all([
      project.aiq('enqueue', 'failing', '--word', 'x', '--wait', '-q'),
      project.aiq('jobs', 'wait', id, '-q'),
    ]);
    for (const { code, stderr } of quietly) {
      expect(code).toBe(7);
      expect(stderr).toMatch(new RegExp(`^dead +${id} +failing +[a-z_]+: .*\\n$`));
    }
    const again = await project.aiq('enqueue', 'failing', '--word', 'x');
    expect(again.stderr).toMatch(/failed before: .*--force/);
    await project.aiq('enqueue', 'failing', '--word', 'y');
    const ran = await project.aiq('run', '--agents', 'failing', '--until-empty');
    expect(ran, ran.stderr).toMatchObject({ code: 7 });
    expect(ran.stderr).toMatch(/0 done, 1 dead/);
  });
});

test('a refused key stops the run with exit 4 and charges no job', async () => {
  const elsewhere = await Project.make({ ...endpoint.env, OPENAI_API_KEY: 'sk-wrong-key-000000' });
  try {
    await elsewhere.aiq('enqueue', 'summarize', '--text', 'A text.');
    const ran = await elsewhere.aiq(...drain);
    expect(ran, ran.stderr).toMatchObject({ code: 4, stdout: '' });
    expect(ran.stderr).toMatch(/^error: .*401/m);
    expect(ran.stderr).not.toContain('sk-wrong-key-000000');
    const { stdout } = await elsewhere.aiq('jobs', 'list', '--json');
    expect(JSON.parse(stdout)).toMatchObject({ attempts: 0, state: 'ready' });
    const waited = await elsewhere.aiq('enqueue', 'summarize', '--text', 'A text.', '--wait');
    expect(waited, waited.stderr).toMatchObject({ code: 4, stdout: '' });
  } finally {
    await elsewhere.remove();
  }
});

/** An agent with one word as its input. */
function manifest(prompt: string): string {
  return `description: Repeats a word.
instructions: Repeat it.
prompt: '${prompt}'
input:
  schema:
    type: object
    additionalProperties: false
    required: [word]
    properties:
      word: { type: string, maxLength: 20, description: The word }
      maxTimes: { type: integer, minimum: 1, default: 2, description: How often }
      loud: { type: boolean, default: false }
      kind: { type: array, items: { type: string } }
`;
}

async function agentFile(name: string, text: string): Promise<void> {
  await mkdir(join(project.dir, 'agents', name), { recursive: true });
  await project.write(`agents/${name}/agent.yaml`, text);
}

describe('a new agent folder', () => {
  beforeAll(() => agentFile('repeat', manifest('Repeat {{input.word}}: {{json input}}')));

  test('is an agent at once: listed, valid, with help for its flags', async () => {
    expect((await project.aiq('agents', 'list')).stdout).toMatch(
      /^repeat\trepeat\tagents\/repeat\t/m,
    );
    expect((await project.aiq('agents', 'validate', 'repeat')).code).toBe(0);
    const { stdout } = await project.aiq('enqueue', 'repeat', '--help');
    expect(stdout).toContain('Input of repeat:');
    expect(stdout).toMatch(/--word <text> +The word \(required\)/);
    expect(stdout).toMatch(/--max-times <n> +How often \(default 2\)/);
  });

  test('turns its flags into typed input, in every spelling', async () => {
    const expected = { word: 'hi', maxTimes: 3, loud: false, kind: ['a,b', 'c'] };
    const spellings = [
      ['--word', 'hi', '--max-times', '3', '--no-loud', '--kind', 'a,b', '--kind', 'c'],
      ['--maxTimes=3', '--set', 'kind:=["a,b","c"]', '--set', 'word=hi', '--data', '{"word":"no"}'],
      ['--text', 'hi', '--data', '{"maxTimes":3,"kind":["a,b","c"]}'],
    ];
    for (const flags of spellings) {
      const rendered = await project.aiq('agents', 'render', 'repeat', ...flags);
      expect(rendered, rendered.stderr).toMatchObject({ code: 0 });
      const [, json = ''] = rendered.stdout.split('Repeat hi: ');
      expect(JSON.parse(json), flags.join(' ')).toEqual(expected);
    }
  });

  test('checks its input, and runs', async () => {
    const bad = await project.aiq(
      'enqueue',
      'repeat',
      '--word',
      'x'.repeat(21),
      '--max-times',
      '0',
    );
    expect(bad, bad.stderr).toMatchObject({ code: 3, stdout: '' });
    expect(bad.stderr).toMatch(/word +.*21.*at most 20 characters/);
    expect(bad.stderr).toMatch(/maxTimes +0 is under the minimum of 1/);
    await project.aiq('enqueue', 'repeat', '--word', 'hello');
    const ran = await project.aiq('run', '--agents', 'repeat', '--until-empty');
    expect(ran, ran.stderr).toMatchObject({ code: 0 });
    expect(ran.stderr).toMatch(/^ok .*-> out\/repeat\//m);
  });

  test('that is broken does not stop the others, but naming it does', async () => {
    await agentFile('broken', 'description: x\n');
    const all = await project.aiq('run', '--until-empty');
    expect(all, all.stderr).toMatchObject({ code: 0 });
    expect(all.stderr).toMatch(/warning: .*broken/);
    expect(all.stderr).toMatch(/agents\/broken\/agent\.yaml:\d+:\d+/);
    expect((await project.aiq('run', '--agents', 'broken,summarize')).code).toBe(3);
    expect((await project.aiq('run', '--agents', 'brokn')).code).toBe(5);
    await rm(join(project.dir, 'agents', 'broken'), { recursive: true });
  });
});

describe('standard input', () => {
  test('fills the primary property from a pipe or a file, and - asks for it', async () => {
    for (const script of [
      'printf "The pipe mill burned." | aiq enqueue summarize --wait',
      'printf "The pipe mill burned." > in.txt; aiq enqueue summarize --wait --force < in.txt',
      'printf "The pipe mill burned." | aiq enqueue summarize - --wait --force',
    ]) {
      expect((await shell(script)).stdout, script).toMatch(/^- The pipe mill burned\./);
    }
  });

  test('is left alone when the text comes from elsewhere', async () => {
    const { stdout } = await shell(
      'printf "not this" | aiq enqueue summarize --text "This one." --wait',
    );
    expect(stdout).toMatch(/^- This one\./);
  });

  test('that is empty or binary is refused', async () => {
    await expect(shell('printf "" | aiq enqueue summarize')).rejects.toMatchObject({
      code: 3,
      stderr: expect.stringContaining('standard input is empty'),
    });
    await expect(shell('printf "a\\000b" | aiq enqueue summarize -')).rejects.toMatchObject({
      code: 3,
    });
  });

  test('cannot be read twice', async () => {
    await expect(shell('echo x | aiq enqueue summarize - --title @-')).rejects.toMatchObject({
      code: 3,
      stderr: expect.stringContaining('only once'),
    });
  });
});

describe('--jsonl', () => {
  test('queues good lines, reports bad ones by number, and exits with 9', async () => {
    await project.write(
      'jobs.jsonl',
      [
        '{"text": "The first line burned."}',
        '{"text": 7}',
        'no json',
        '',
        '{"input": {"text": "The fifth line burned."}, "id": "five"}',
        '{"txet": "x"}',
      ].join('\n'),
    );
    const added = await project.aiq(
      'enqueue',
      'summarize',
      '--jsonl',
      'jobs.jsonl',
      '--points',
      '1',
    );
    expect(added, added.stderr).toMatchObject({ code: 9 });
    expect(added.stdout.trim().split('\n')).toHaveLength(2);
    expect(added.stderr).toMatch(/jobs\.jsonl:2 .*text 7 is not text/);
    expect(added.stderr).toMatch(/jobs\.jsonl:3 is not JSON/);
    expect(added.stderr).toMatch(/jobs\.jsonl:6 .*txet unknown property/);
  });

  test('of bad lines only exits with 3', async () => {
    await project.write('bad.jsonl', '{"text": 7}\n');
    expect(await project.aiq('enqueue', 'summarize', '--jsonl', 'bad.jsonl')).toMatchObject({
      code: 3,
      stdout: '',
    });
  });

  test('comes from standard input too', async () => {
    const { stdout } = await shell(
      `printf '{"text": "a b"}\\n{"text": "c d"}' | aiq enqueue summarize --jsonl -`,
    );
    expect(stdout.trim().split('\n')).toHaveLength(2);
  });
});

test('--id is the identity: the same key is the same job, with other content a conflict', async () => {
  const first = await project.aiq('enqueue', 'summarize', 'three.txt', '--id', 'k1');
  const same = await project.aiq('enqueue', 'summarize', 'three.txt', '--id', 'k1');
  expect(same.stdout).toBe(first.stdout);
  const other = await project.aiq('enqueue', 'summarize', 'one.txt', '--id', 'k1');
  expect(other, other.stderr).toMatchObject({ code: 3, stdout: '' });
  expect(other.stderr).toMatch(/^error: .*CONFLICT.* job [0-9a-z]{12} \(ready\)/m);
  expect(other.stderr).toContain('Use another key');
});

test('a reader that leaves early ends the command quietly', async () => {
  const { stderr } = await shell('aiq jobs list --limit 1000 | head -1');
  expect(stderr).toBe('');
});

test('the demo works in any folder, twice, and leaves nothing running', async () => {
  const elsewhere = await Project.make();
  try {
    for (const round of [1, 2]) {
      const shown = await elsewhere.aiq('demo');
      expect(shown, shown.stderr).toMatchObject({ code: 0 });
      const files = shown.stdout.trim().split('\n');
      expect(files.length, `round ${round}`).toBeGreaterThanOrEqual(3);
      for (const file of files)
        expect((await stat(join(elsewhere.dir, file))).size).toBeGreaterThan(100);
      const summaries = files.filter((file) => file.startsWith('out/demo/summaries/'));
      expect(await elsewhere.list('out', 'demo', 'summaries')).toHaveLength(summaries.length);
      expect(await elsewhere.list('out', 'demo', 'answers')).toHaveLength(1);
      expect(await elsewhere.list('out', 'demo', 'generated')).toHaveLength(1);
    }
    expect(await elsewhere.brokerPid()).toBeNull();
  } finally {
    await elsewhere.remove();
  }
});
