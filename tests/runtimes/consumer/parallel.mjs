/**
 * `./parallel`: threads where the runtime has them, else one thread and the
 * reason; the same bits as the root either way.
 *
 * @module
 */

/**
 * @param {object} api The root.
 * @param {Function} createParallelEngine What `./parallel` exports.
 * @returns {Promise<{ threads: number, reason: string | null, checks: object[] }>}
 */
export async function useThreads(api, createParallelEngine) {
  const engine = await createParallelEngine({ threads: 2 });
  const { threads, reason } = engine;
  const checks = [];
  const check = (name, run) => {
    try {
      run();
      checks.push({ name: `parallel: ${name}`, error: null });
    } catch (error) {
      checks.push({ name: `parallel: ${name}`, error: String(error) });
    }
  };
  // 5 MB: small jobs stay with the caller's thread
  const rows = 320, vocabSize = 4096;
  const labels = Int32Array.from(
    { length: rows },
    (_, i) => i % 3 === 0 ? -100 : (i * 37) % vocabSize,
  );
  const logits = Float32Array.from(
    { length: rows * vocabSize },
    (_, i) => Math.fround((i * 7919) % 1013 / 100 - 5),
  );

  check("the same bits as on one thread", () => {
    for (const deterministic of [false, true]) {
      const options = { perToken: true, deterministic };
      const wanted = api.maskedCrossEntropyGrad(logits, labels, options);
      const found = engine.maskedCrossEntropyGrad(logits, labels, options);
      same(found, wanted);
    }
  });
  check("logits where all threads see them", () => {
    const workspace = engine.createWorkspace({ rows, vocabSize });
    workspace.logits.set(logits);
    const found = engine.maskedCrossEntropyGrad(workspace.logits, labels);
    same(found, api.maskedCrossEntropyGrad(logits, labels));
    workspace.dispose();
  });
  check("the same bits of one row, which threads cut into tiles", () => {
    const row = logits.subarray(0, 40001);
    const options = { perToken: true, metrics: true, softcap: 20 };
    const wanted = api.maskedCrossEntropyGrad(row, [40000], options);
    same(engine.maskedCrossEntropyGrad(row, [40000], options), wanted);
  });
  check(
    "a reason is given where there are fewer threads than asked for",
    () => {
      if ((threads === 2) !== (reason === null)) {
        throw new Error(`${threads} threads, reason: ${reason}`);
      }
    },
  );
  engine.dispose();
  return { threads, reason, checks };
}

function same(found, wanted) {
  if (found.loss !== wanted.loss) {
    throw new Error(`loss ${found.loss} instead of ${wanted.loss}`);
  }
  for (const name of ["perToken", "gradLogits"]) {
    const a = found[name], e = wanted[name];
    if (a?.length !== e?.length) throw new Error(`${name}: its length`);
    for (let i = 0; i < (e?.length ?? 0); i++) {
      if (!Object.is(a[i], e[i])) {
        throw new Error(`${name}[${i}] ${a[i]} instead of ${e[i]}`);
      }
    }
  }
}
