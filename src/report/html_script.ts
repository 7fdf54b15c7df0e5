/**
 * The report's script. Run by the browser alone; the page's policy lets this
 * very text run and no other, by its digest, so that even text of a chat that
 * got past all escaping could not.
 *
 * @module
 */
import { ROWS_SCRIPT } from "./html_script_rows.ts";
import { VIEW_SCRIPT } from "./html_script_view.ts";

/** The script, as it stands in the page. */
export const SCRIPT: string = `"use strict";
(() => {${ROWS_SCRIPT}${VIEW_SCRIPT}})();
`;

/** SHA-256 of {@link SCRIPT} in base64, for the page's policy; `tests/report` holds it against the text. */
export const SCRIPT_DIGEST: string =
  "o3CyG4YegG/PP9EPh1q1Tr/Wxeg7i1RhSBStslc8bjA=";
