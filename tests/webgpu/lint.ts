/**
 * What must not stand in a shader, because some compiler makes something else
 * of it without a word. See facts of each in `traps.ts`.
 *
 * @module
 */

/** A fault found in a text. */
export interface Fault {
  line: number;
  law: string;
}

const LAWS: readonly (readonly [RegExp, string])[] = [
  [/\b(\w+) *(!=|==) *\1\b/, "NaN is told by its bits: compilers fold x != x"],
  [
    /\/ *0\.0|1e39/,
    "an infinity as a constant does not compile",
  ],
  [
    /bitcast<f32>\(0x/,
    "a constant bitcast to NaN or infinity does not compile everywhere",
  ],
  [/\bisnan\b|\bisinf\b/i, "there is no such test in WGSL"],
  [/\+ *0\.0\b/, "x + 0 is folded to x: -0 stays"],
  [
    /(?<![\w.])(exp|exp2|tanh|sinh|cosh)\(/,
    "the built-in's error is too large",
  ],
  [/\bf16\b(?!,)/, "needs shader-f16"],
  [/\batomic/, "atomics make the order of sums anyone's guess"],
  [/\bsubgroup/, "not every device has subgroups"],
];

/** Text without comments, of the same lines. */
function bare(text: string): string[] {
  return text.split("\n").map((line) => line.replace(/\/\/.*/, ""));
}

/** Faults of one text. */
export function lintShader(text: string): Fault[] {
  const faults: Fault[] = [];
  const lines = bare(text);
  let depth = 0;
  const loops: number[] = [];
  lines.forEach((line, i) => {
    for (const [pattern, law] of LAWS) {
      if (pattern.test(line)) faults.push({ line: i + 1, law });
    }
    if (/^\s*(for|while|loop)\b/.test(line)) loops.push(depth);
    const inLoop = loops.length > 0;
    const declared = /\bvar +\w+[^=;]*;/.test(
      line.replace(/^\s*for *\([^;]*;/, ""),
    );
    if (inLoop && declared && !/var<|@group/.test(line)) {
      faults.push({
        line: i + 1,
        law: "a var in a loop needs an initialiser: it keeps its value",
      });
    }
    depth += (line.match(/\{/g) ?? []).length;
    depth -= (line.match(/\}/g) ?? []).length;
    while (loops.length > 0 && depth <= loops.at(-1)!) loops.pop();
  });
  return faults;
}

/** The overrides that a function asks for, itself or by what it calls, by name. */
export function overridesOf(text: string, entry: string): string[] {
  const code = bare(text).join("\n");
  const overrides = [...code.matchAll(/\boverride (\w+)/g)].map(([, o]) => o!);
  const bodies = new Map(
    code.split(/\bfn (?=\w+\()/).slice(1).map((body) => [
      /^\w+/.exec(body)![0],
      new Set(body.slice(body.indexOf("{")).match(/\b[A-Z]\w*\b|\b\w+(?=\()/g)),
    ]),
  );
  const reached = new Set([entry]);
  for (const name of reached) {
    for (const word of bodies.get(name)!) {
      if (bodies.has(word)) reached.add(word);
    }
  }
  return overrides.filter((name) =>
    [...reached].some((f) => bodies.get(f)!.has(name))
  ).sort();
}
