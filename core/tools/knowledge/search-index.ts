/**
 * A full-text index over files, kept in memory and brought up to date before each search: only files
 * that came, went or changed are touched.
 */

import { setImmediate as breathe } from 'node:timers/promises';
import type MiniSearch from 'minisearch';
import type { FoundPassage } from './base.ts';
import { type FileList, type KnowledgeFile, readListed } from './files.ts';
import { type LeftOut, leftOut, noText, textOf, tooManyWords } from './left-out.ts';
import { type Passage, passagesOf } from './passages.ts';

interface Entry {
  readonly id: number;
  readonly path: string;
  readonly heading: string;
  readonly text: string;
}

interface IndexedFile {
  readonly stamp: string;
  readonly ids: readonly number[];
  /** Why the file is not in the index although it was listed; null when it is. */
  readonly why: string | null;
}

/** Lists of numbers and codes have as many different words as they have words; prose has not. */
const termsMax = 200_000;
/** Passages that are taken in at a time; other jobs of the thread get their turn in between. */
const passagesAtOnce = 500;

/** Made by `createIndex`. */
export class SearchIndex {
  readonly #baseDir: string;
  readonly #engine: MiniSearch<Entry>;
  readonly #files = new Map<string, IndexedFile>();
  readonly #passages = new Map<number, Passage & { readonly path: string }>();
  #lastId = 0;

  constructor(baseDir: string, engine: MiniSearch<Entry>) {
    this.#baseDir = baseDir;
    this.#engine = engine;
  }

  /** Takes over what changed. Resolves with the files that are not searched, each with the reason. */
  async update({ files }: FileList): Promise<LeftOut[]> {
    const present = new Set(files.map(({ path }) => path));
    for (const path of this.#files.keys()) if (!present.has(path)) this.#forget(path);
    for (const file of files) {
      if (this.#isSettled(file)) continue;
      this.#forget(file.path);
      await this.#take(file);
      // Other jobs of this thread get their turn while many files are read.
      await breathe();
    }
    return [...this.#files].flatMap(([path, { why }]) => (why === null ? [] : leftOut(path, why)));
  }

  search(query: string, limit: number): FoundPassage[] {
    const hits = this.#engine.search(query).slice(0, limit);
    return hits.flatMap(({ id, score }) => {
      const passage = this.#passages.get(id as number);
      if (passage === undefined) return [];
      const { heading: _, ...found } = passage;
      return [{ ...found, score: Math.round(score * 100) / 100 }];
    });
  }

  /** Whether nothing about a file can have changed: it did not, and what was full still is. */
  #isSettled({ path, stamp }: KnowledgeFile): boolean {
    const known = this.#files.get(path);
    return known?.stamp === stamp && (known.why !== tooManyWords || this.#isFull());
  }

  #isFull(): boolean {
    return this.#engine.termCount >= termsMax;
  }

  #forget(path: string): void {
    for (const id of this.#files.get(path)?.ids ?? []) {
      this.#engine.discard(id);
      this.#passages.delete(id);
    }
    this.#files.delete(path);
  }

  async #take({ path, stamp, chunkSize }: KnowledgeFile): Promise<void> {
    const bytes = await readListed(this.#baseDir, path);
    const text = bytes === null ? null : textOf(bytes);
    const why = text === null ? noText : this.#isFull() ? tooManyWords : null;
    const entries: Entry[] = [];
    for (const passage of why === null ? passagesOf(text ?? '', chunkSize) : []) {
      this.#lastId += 1;
      this.#passages.set(this.#lastId, { ...passage, path });
      entries.push({ id: this.#lastId, path, heading: passage.heading, text: passage.text });
    }
    for (let at = 0; at < entries.length; at += passagesAtOnce) {
      this.#engine.addAll(entries.slice(at, at + passagesAtOnce));
      await breathe();
    }
    this.#files.set(path, { stamp, ids: entries.map(({ id }) => id), why });
  }
}

/** Loads the search engine's package. */
export async function createIndex(baseDir: string): Promise<SearchIndex> {
  const { default: Engine } = await import('minisearch');
  const engine = new Engine<Entry>({
    fields: ['text', 'heading', 'path'],
    tokenize: termsOf,
    processTerm: (term) => term,
    searchOptions: {
      boost: { heading: 2, path: 1.5 },
      // Beginnings count for longer words: "durable" also finds "durability", though less.
      prefix: (term) => term.length > 4,
      weights: { prefix: 0.3, fuzzy: 0 },
    },
  });
  return new SearchIndex(baseDir, engine);
}

/** Signs of scripts that put no space between words. */
const wideSign = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]/u;

/** Terms of a text in their order; runs of Chinese or Japanese as pairs of signs. */
function termsOf(text: string): string[] {
  const words =
    text
      .normalize('NFKC')
      .toLowerCase()
      .match(/[\p{L}\p{N}]+/gu) ?? [];
  return words
    .flatMap((word) => (wideSign.test(word) ? pairs(word) : [folded(word)]))
    .filter((term) => !stopWords.has(term));
}

function pairs(run: string): string[] {
  const signs = Array.from(run);
  return signs.length < 2 ? signs : signs.slice(1).map((sign, index) => `${signs[index]}${sign}`);
}

/** English plurals; enough that "files" finds "file", and no word of another is made. */
function folded(word: string): string {
  if (word.length > 5 && word.endsWith('ies')) return `${word.slice(0, -3)}y`;
  return word.length > 3 && /[^su]s$/.test(word) ? word.slice(0, -1) : word;
}

const stopWords: ReadonlySet<string> = new Set(
  `a about an and any are as at be because been but by can could did do doe for from had has have he
  her his how i if in into is it its may me more my no not of on or our out s shall she should so some
  such t than that the their them then there these they thi this to up us was wa we were what when
  where which who whom why will with would you your`.split(/\s+/),
);
