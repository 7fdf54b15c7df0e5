/**
 * How fast `prepare` is, and how much memory it takes: a file of many short
 * chats is made, prepared by a process of its own, and the most memory that
 * process ever held is read from Linux.
 *
 *     deno run -A bench/prepare_rows.ts TOKENIZER [ROWS] [OPTIONS of prepare]
 *
 * @module
 */
const [tokenizer, rows = "1000000", ...options] = Deno.args;
if (tokenizer === undefined) {
  console.error("Which tokenizer? Give the folder of tokenizer.json");
  Deno.exit(2);
}
const folder = Deno.makeTempDirSync({ dir: "build", prefix: "prepare_rows_" });
try {
  const input = `${folder}/chats.jsonl`;
  await writeChats(input, Number(rows));
  const size = Deno.statSync(input).size;
  console.log(`${rows} chats, ${(size / 1e6).toFixed(0)} MB`);
  await prepare(input, `${folder}/rows.parquet`);
} finally {
  Deno.removeSync(folder, { recursive: true });
}

/** Short questions and answers of 5 to 40 words, no two alike. */
async function writeChats(path: string, rows: number): Promise<void> {
  const words =
    "the model reads a chat and learns to answer what was asked of it when nobody else knows how many tokens there are in one line"
      .split(" ");
  let state = 1;
  const random = (most: number) => {
    state = Math.imul(state, 1664525) + 1013904223 >>> 0; // Numerical Recipes, p. 284
    return Math.floor(state / 2 ** 32 * most);
  };
  const say = (least: number, most: number) =>
    Array.from(
      { length: least + random(most - least) },
      () => words[random(words.length)],
    ).join(" ");
  const file = await Deno.open(path, { write: true, create: true });
  const writer = file.writable.getWriter();
  let lines: string[] = [];
  for (let row = 0; row < rows; row++) {
    lines.push(JSON.stringify({
      messages: [
        { role: "user", content: `${row}: ${say(5, 20)}?` },
        { role: "assistant", content: `${say(5, 40)}.` },
      ],
    }));
    if (lines.length < 10_000 && row < rows - 1) continue;
    await writer.write(new TextEncoder().encode(`${lines.join("\n")}\n`));
    lines = [];
  }
  await writer.close();
}

async function prepare(input: string, output: string): Promise<void> {
  const start = performance.now();
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "-R", `-W=${folder}`, "src/cli/main.ts"]
      .concat("prepare", input, "--tokenizer", tokenizer!, "-o", output)
      .concat("--max-length", "4096", "--pack", "bfd", options),
    stdout: "inherit",
    stderr: "inherit",
  }).spawn();
  let peak = 0;
  const look = () => {
    try {
      const status = Deno.readTextFileSync(`/proc/${child.pid}/status`);
      peak = Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? peak);
    } catch {
      // it has ended
    }
  };
  const timer = setInterval(look, 50);
  const { code } = await child.status;
  clearInterval(timer);
  const seconds = (performance.now() - start) / 1000;
  const size = code === 0 ? Deno.statSync(output).size : 0;
  console.log(
    `exit ${code}, ${seconds.toFixed(1)} s, peak ${
      (peak / 1024).toFixed(0)
    } MiB, ${(size / 1e6).toFixed(0)} MB written`,
  );
}
