/**
 * The guard of the hot loops, on compiled text: a `v128.const` inside an
 * innermost loop is rebuilt by V8 in each turn, at half the speed, so the
 * kernels load their constants from memory. All-zero and all-one vectors are
 * free: one instruction makes them.
 *
 * @module
 */

/** Names each constant of an innermost loop that is neither all zeros nor all ones, with its function. */
export function flaggedConstants(wat: string): string[] {
  const flagged: string[] = [];
  let func = "";
  let loops = 0;
  // The open blocks, outermost first; only loops carry what was found in them.
  const open: { loop: boolean; inner: boolean; found: string[] }[] = [];

  for (const line of wat.split("\n")) {
    const [word = "", name = ""] = line.trim().split(/\s+/);
    if (word === "(func") {
      func = name;
    } else if (/^(block|loop|if|try|try_table)$/.test(word)) {
      // Whatever encloses a loop is not innermost.
      if (word === "loop") open.forEach((block) => block.inner = false);
      loops += word === "loop" ? 1 : 0;
      open.push({ loop: word === "loop", inner: true, found: [] });
    } else if (word === "end") {
      const block = open.pop();
      if (block === undefined) throw new Error("Cannot read the text: end");
      if (block.loop && block.inner) flagged.push(...block.found);
    } else if (word === "v128.const" && !isFree(line)) {
      const loop = open.findLast((block) => block.loop);
      loop?.found.push(`${func}: ${line.trim()}`);
    } else if (word === "(loop") {
      throw new Error("Cannot read folded text: (loop");
    }
  }
  if (open.length > 0) throw new Error("Cannot read the text: a block is open");
  if (loops === 0) throw new Error("Cannot guard the text: it has no loop");
  return flagged;
}

/** Whether all lanes are 0x00000000, or all 0xffffffff. */
function isFree(line: string): boolean {
  return /i32x4( 0x00000000){4}$/.test(line) ||
    /i32x4( 0xffffffff){4}$/.test(line);
}
