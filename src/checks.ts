/**
 * The border checks. What passes here is trusted everywhere else; what does not
 * gets a TypeError (wrong kind) or a RangeError (wrong value) that says what was
 * being done, what was wanted and what came, before anything is written.
 *
 * @module
 */
export type { Action } from "./actions.ts";
export { outOfRange, show, wrongKind } from "./checks/errors.ts";
export {
  checkHeld,
  checkIterable,
  isListLike,
  makeRoom,
  readBorders,
  readIds,
  readLabels,
  readList,
  readView,
  readWeights,
} from "./checks/lists.ts";
export {
  checkObject,
  checkOptions,
  readCount,
  readFlag,
  readIgnoreIndex,
  readNumber,
  readWord,
} from "./checks/options.ts";
export {
  asGiven,
  count,
  flag,
  int32,
  number,
  optional,
  optionsReader,
  type Reader,
  type Readers,
  required,
  type Values,
  word,
} from "./checks/readers.ts";
export { readSpan } from "./checks/spans.ts";
