/** The schemas that ship with aiq: printed, and named in the first line of a YAML file for editors. */

import { realpathSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import { pathToFileURL } from 'node:url';

/**
 * `# yaml-language-server: $schema=…`: relative where the package is installed above the file's
 * folder or holds it, so that the file can be moved to another machine together with them.
 */
export function schemaLine(packageRoot: string, name: string, folder: string): string {
  return `# yaml-language-server: $schema=${reference(packageRoot, name, folder)}`;
}

const schemaPattern = /^# yaml-language-server: \$schema=.*$/m;

/** The text with its schema line put right, or with one in front. */
export function withSchemaLine(text: string, line: string): string {
  return schemaPattern.test(text) ? text.replace(schemaPattern, () => line) : `${line}\n${text}`;
}

function reference(packageRoot: string, name: string, folder: string): string {
  const schema = join(packageRoot, 'schema', name);
  const modules = packageRoot.indexOf(`${sep}node_modules${sep}`);
  const owner = modules === -1 ? packageRoot : packageRoot.slice(0, modules);
  const near = existingFolder(folder);
  const isBelow = near === owner || near.startsWith(owner.endsWith(sep) ? owner : owner + sep);
  const path = isBelow ? relative(folder, schema).split(sep).join('/') : schema;
  // Editors read the reference up to the first white space.
  return /\s/.test(path) ? pathToFileURL(schema).href : path;
}

/** The nearest existing folder, links resolved. */
function existingFolder(folder: string): string {
  try {
    return realpathSync(folder);
  } catch {
    const parent = dirname(folder);
    return parent === folder ? folder : existingFolder(parent);
  }
}

/** The text of a schema that ships with aiq. */
export async function packagedSchema(name: string): Promise<string> {
  const { packageRoot } = await import('../agent/index.ts');
  return readFile(join(packageRoot(), 'schema', name), 'utf8');
}
