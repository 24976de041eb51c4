/** Publishing results: confined paths, atomic, exactly once per job and output root. */

export {
  type CommitRecord,
  OutputError,
  type OutputOptions,
  type OutputStore,
  type Overwrite,
  type PublishedFile,
  type PublishRequest,
  type PublishStep,
} from './output.ts';
export { openOutput } from './store.ts';
