/** Which files git would leave alone: held against git itself. */

import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { createGitignore } from '../../../core/tools/knowledge/gitignore.ts';
import { folderWith, put } from './knowledge-folder.ts';

const paths = [
  'a.log',
  'keep.log',
  'deep/a.log',
  'deep/er/keep.log',
  'build/x.md',
  'deep/build/x.md',
  'doc/frotz/x.md',
  'deep/doc/frotz/x.md',
  'foo/bar/baz/x.md',
  'foo/x.md',
  'abc/def/ghi.md',
  'file-1.txt',
  'file-a.txt',
  '#hash.md',
  '!bang.md',
  'trail ',
  'own/secret.txt',
  'own/open.txt',
  'secret.txt',
  'a+b(c).md',
  'x.tmp.md',
];
const ignoreFile = `# a comment
*.log
!keep.log
build/
/doc/frotz
foo/**/baz
abc/**
!abc/def/
file-[0-9].txt
\\#hash.md
\\!bang.md
trail\\ 
a+b(c).md
*.tmp.*
`;

describe('.gitignore', () => {
  test('is read as git reads it, nested files and negations included', () => {
    const root = folderWith(Object.fromEntries(paths.map((path) => [path, 'x'])));
    put(root, '.gitignore', ignoreFile);
    put(root, 'own/.gitignore', 'secret.txt\n!a.log\n');
    execFileSync('git', ['init', '-q'], { cwd: root });
    const listed = execFileSync('git', ['ls-files', '-o', '--exclude-standard', '-z'], {
      cwd: root,
    });
    const kept = new Set(listed.toString().split('\0'));
    const gitignore = createGitignore(root);
    const ours = paths.filter((path) => !gitignore.ignores(path));
    expect(ours).toEqual(paths.filter((path) => kept.has(path)));
  });

  test('of the repository counts in a folder below it, but not against that folder itself', () => {
    const root = folderWith({
      '.gitignore': 'out/\n*.tmp\n',
      'out/site/a.md': '',
      '.git/HEAD': '',
    });
    const gitignore = createGitignore(join(root, 'out', 'site'));
    expect(['a.md', 'b.tmp', 'out/c.md'].map((path) => gitignore.ignores(path))).toEqual([
      false,
      true,
      true,
    ]);
  });
});
