/** The place of a chat and its row, which setup.ts writes over this file where the package is installed. */
export default (() => {
  throw new Error("There is no chat here: run setup.ts");
})();
