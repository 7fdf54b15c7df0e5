/**
 * The library a second time in one process, as when two packages bring their own:
 * every module again, under an address of its own.
 *
 * @module
 */
import { readFacts, resolve } from "../house/tree.ts";

/** A fresh copy of mod.ts with all that it imports. */
export async function secondCopy(): Promise<typeof import("../../mod.ts")> {
  const made = new Map<string, string>();
  const make = (path: string): string => {
    const known = made.get(path);
    if (known !== undefined) return known;
    let text = Deno.readTextFileSync(path);
    for (const specifier of new Set(readFacts(path, text).imports)) {
      const to = resolve(path, specifier);
      if (to === null) throw new Error(`${path} imports ${specifier}`);
      text = text.replaceAll(`"${specifier}"`, JSON.stringify(make(to)));
    }
    const blob = new Blob([text], { type: "application/typescript" });
    const url = URL.createObjectURL(blob);
    made.set(path, url);
    return url;
  };
  const module = await import(make("mod.ts"));
  for (const url of made.values()) URL.revokeObjectURL(url);
  return module;
}
