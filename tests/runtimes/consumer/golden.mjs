/** The place of the golden values, which setup.ts writes over this file where the package is installed. */
export default (() => {
  throw new Error("There are no golden values here: run setup.ts");
})();
