/**
 * Joins the pieces of a turn's tool calls. They are identified by id, whatever their index says: some
 * servers give all calls the index 0, some count from 1, some give no id, some the same one to all.
 */

import type { ToolCall } from '../model.ts';
import { isJson } from './find-json.ts';

interface PartialCall {
  index: unknown;
  id: string;
  name: string;
  arguments: string;
}

/** A longer one is no id. */
const idCharsMax = 256;

export class ToolCallParts {
  readonly #calls: PartialCall[] = [];

  /** Adds a piece as it came, and returns the bytes that it brought. */
  add(piece: unknown): number {
    if (typeof piece !== 'object' || piece === null) return 0;
    const { index, id, function: called } = piece as { [name: string]: unknown };
    const { name, arguments: args } = (called ?? {}) as { [name: string]: unknown };
    const part: PartialCall = {
      index,
      id: idOf(id),
      name: typeof name === 'string' ? name : '',
      arguments: argumentsOf(args),
    };
    const call = this.#callOf(part) ?? this.#begin(part);
    call.index = part.index ?? call.index;
    if (part.id !== '') call.id = part.id;
    if (part.name !== '') call.name = part.name;
    call.arguments += part.arguments;
    return Buffer.byteLength(part.arguments) + part.name.length + part.id.length;
  }

  /** In order of appearance, each with an id of its own. */
  get calls(): ToolCall[] {
    const taken = new Set<string>();
    return this.#calls.map(({ id: given, name, arguments: args }, position) => {
      let id = given === '' ? `call_${position}` : given;
      while (taken.has(id)) id += `_${position}`;
      taken.add(id);
      return { id, name, arguments: args };
    });
  }

  #begin(part: PartialCall): PartialCall {
    const call = { index: part.index, id: '', name: '', arguments: '' };
    this.#calls.push(call);
    return call;
  }

  /** The call that a piece goes on with; undefined when it begins one. */
  #callOf(part: PartialCall): PartialCall | undefined {
    const sameIndex = (call: PartialCall): boolean =>
      part.index === undefined || part.index === null || call.index === part.index;
    if (part.id !== '') {
      const known = this.#calls.filter(({ id }) => id === part.id);
      const same = known.findLast(sameIndex) ?? (part.name === '' ? known.at(-1) : undefined);
      if (same !== undefined) {
        const isOther = part.name !== '' && part.name !== same.name && isJson(same.arguments);
        return isOther ? undefined : same;
      }
      // The id may come after the first piece.
      const open = this.#calls.findLast(sameIndex);
      return open?.id === '' && !beginsAnother(open, part) ? open : undefined;
    }
    const open = this.#calls.findLast(sameIndex);
    return open !== undefined && beginsAnother(open, part) ? undefined : open;
  }
}

/** Without ids, a name behind arguments that are complete begins the next call. */
function beginsAnother(call: PartialCall, part: PartialCall): boolean {
  if (part.name === '' || !isJson(call.arguments)) return false;
  return part.name !== call.name || part.arguments !== '';
}

function idOf(id: unknown): string {
  const text = typeof id === 'number' ? String(id) : id;
  return typeof text === 'string' && text.length <= idCharsMax && !/\p{Cc}/u.test(text) ? text : '';
}

/** Some servers send the arguments as an object, and at once. */
function argumentsOf(args: unknown): string {
  if (typeof args === 'object' && args !== null) return JSON.stringify(args);
  return typeof args === 'string' ? args : '';
}
