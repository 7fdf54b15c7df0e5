/** `./chat` and `./formats` in a page; bundled, for their dependencies. */
import wanted from "./chat.mjs";
import { useEntries } from "./entries.mjs";

globalThis.foundEntries = await useEntries(wanted);
