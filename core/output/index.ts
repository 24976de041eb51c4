/** Results of jobs as files: confined paths, whole or not there, once for each job and folder. */

export {
  type Indexed,
  type IndexedFile,
  OutputError,
  type Overwrite,
  type Result,
  type ResultFile,
} from './output.ts';
export { type FolderOptions, OutputFolder } from './output-folder.ts';
export { OutputView } from './output-view.ts';
export { checkPaths } from './paths.ts';
export type { PlaceStep } from './place.ts';
