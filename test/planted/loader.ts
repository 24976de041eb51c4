/**
 * `node --import ./test/planted/loader.ts …` with AIQ_PLANTED=name: loads the sources with that bug
 * in them. Production code knows nothing of this.
 */

import { registerHooks } from 'node:module';
import { fileURLToPath } from 'node:url';
import { chosenBug, withBug } from './planting.ts';

const bug = chosenBug();

if (bug !== null) {
  registerHooks({
    load(url, context, nextLoad) {
      const loaded = nextLoad(url, context);
      if (!url.startsWith('file:') || loaded.source == null) return loaded;
      const source = Buffer.from(loaded.source as Uint8Array).toString();
      const changed = withBug(bug, fileURLToPath(url), source);
      return changed === null ? loaded : { ...loaded, source: changed };
    },
  });
}
