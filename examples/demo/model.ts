/**
 * A small next-token model, written out by hand: forward, backward, Adam.
 *
 *   x = [E[id_t], E[id_t-1], ...]       the last `context` tokens, [context · width]
 *   h = tanh(A x + a)                   [hidden]
 *   logits = B h + b                    [V]
 *
 * After Bengio et al., A Neural Probabilistic Language Model (2003). It is
 * plain TypeScript in float64, so that the only WASM in the demo is the loss.
 * What it refuses to be is good: it sees a few tokens back and no further.
 *
 * @module
 */

/** The sizes of a model. */
export interface Sizes {
  /** V. */
  vocabSize: number;
  /** How many tokens back it sees, the current one included. */
  context: number;
  /** Numbers per embedded token. */
  width: number;
  /** Numbers in the hidden layer. */
  hidden: number;
}

/** Parameters, or their gradient: views of one flat array. */
export interface Parameters {
  all: Float64Array;
  /** E, [V, width]. */
  embedding: Float64Array;
  /** A, [hidden, context · width]. */
  input: Float64Array;
  /** a, [hidden]. */
  inputBias: Float64Array;
  /** B, [V, hidden]. */
  output: Float64Array;
  /** b, [V]. */
  outputBias: Float64Array;
}

/** Room for the parameters of a model, all 0. */
export function newParameters(sizes: Sizes): Parameters {
  const { vocabSize, context, width, hidden } = sizes;
  const counts = [
    vocabSize * width,
    hidden * context * width,
    hidden,
    vocabSize * hidden,
    vocabSize,
  ];
  const all = new Float64Array(counts.reduce((sum, count) => sum + count));
  let end = 0;
  const [embedding, input, inputBias, output, outputBias] = counts.map(
    (count) => all.subarray(end, end += count),
  ) as [Float64Array, Float64Array, Float64Array, Float64Array, Float64Array];
  return { all, embedding, input, inputBias, output, outputBias };
}

/** Numbers in [0, 1) from a seed: mulberry32. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A next-token model, with the activations of its last forward pass. */
export class Model {
  readonly sizes: Sizes;
  readonly weights: Parameters;
  readonly gradient: Parameters;
  #x: Float64Array = new Float64Array(0);
  #h: Float64Array = new Float64Array(0);
  // Adam's running means of the gradient and of its square.
  readonly #mean: Float64Array;
  readonly #square: Float64Array;
  #steps = 0;

  /** The same sizes and seed give the same weights. */
  constructor(sizes: Sizes, seed: number) {
    this.sizes = sizes;
    this.weights = newParameters(sizes);
    this.gradient = newParameters(sizes);
    this.#mean = new Float64Array(this.weights.all.length);
    this.#square = new Float64Array(this.weights.all.length);
    const random = seeded(seed);
    const fill = (values: Float64Array, scale: number) => {
      for (let i = 0; i < values.length; i++) {
        values[i] = (2 * random() - 1) * scale;
      }
    };
    fill(this.weights.embedding, 1);
    // Uniform in ±√(3 / inputs), so that A x has variance near that of x.
    fill(this.weights.input, Math.sqrt(3 / (sizes.context * sizes.width)));
    fill(this.weights.output, 0.1);
  }

  /**
   * Writes the logits [N, V] of the given rows, and leaves all others alone: a
   * row without a target needs none.
   */
  forward(
    ids: ArrayLike<number>,
    cuSeqlens: ArrayLike<number>,
    rows: readonly number[],
    logits: Float32Array | Float64Array,
  ): void {
    const { vocabSize, context, width, hidden } = this.sizes;
    const { embedding, input, inputBias, output, outputBias } = this.weights;
    const inputs = context * width;
    const x = this.#x = new Float64Array(rows.length * inputs);
    const h = this.#h = new Float64Array(rows.length * hidden);
    let sequence = 0;
    for (const [r, row] of rows.entries()) {
      while (cuSeqlens[sequence + 1]! <= row) sequence++;
      // x = the embeddings of ids[row], ids[row - 1], ...; 0 before the start
      const reach = Math.min(context, row - cuSeqlens[sequence]! + 1);
      for (let back = 0; back < reach; back++) {
        const at = ids[row - back]! * width;
        x.set(
          embedding.subarray(at, at + width),
          r * inputs + back * width,
        );
      }
      // h = tanh(A x + a)
      for (let j = 0; j < hidden; j++) {
        let sum = inputBias[j]!;
        for (let i = 0; i < inputs; i++) {
          sum += input[j * inputs + i]! * x[r * inputs + i]!;
        }
        h[r * hidden + j] = Math.tanh(sum);
      }
      // logits = B h + b
      for (let k = 0; k < vocabSize; k++) {
        let sum = outputBias[k]!;
        for (let j = 0; j < hidden; j++) {
          sum += output[k * hidden + j]! * h[r * hidden + j]!;
        }
        logits[row * vocabSize + k] = sum;
      }
    }
  }

  /** Sets `gradient` from ∂loss/∂logits; ids, borders and rows as in the last forward pass. */
  backward(
    ids: ArrayLike<number>,
    cuSeqlens: ArrayLike<number>,
    rows: readonly number[],
    gradLogits: ArrayLike<number>,
  ): void {
    const { vocabSize, context, width, hidden } = this.sizes;
    const { input, output } = this.weights;
    const d = this.gradient;
    const x = this.#x, h = this.#h;
    const inputs = context * width;
    const dh = new Float64Array(hidden), dx = new Float64Array(inputs);
    d.all.fill(0);
    let sequence = 0;
    for (const [r, row] of rows.entries()) {
      while (cuSeqlens[sequence + 1]! <= row) sequence++;
      // ∂B = g hᵀ, ∂b = g, ∂h = Bᵀ g
      dh.fill(0);
      for (let k = 0; k < vocabSize; k++) {
        const g = gradLogits[row * vocabSize + k]!;
        d.outputBias[k]! += g;
        for (let j = 0; j < hidden; j++) {
          d.output[k * hidden + j]! += g * h[r * hidden + j]!;
          dh[j]! += g * output[k * hidden + j]!;
        }
      }
      // through tanh' = 1 - h²: ∂A = s xᵀ, ∂a = s, ∂x = Aᵀ s
      dx.fill(0);
      for (let j = 0; j < hidden; j++) {
        const s = dh[j]! * (1 - h[r * hidden + j]! ** 2);
        d.inputBias[j]! += s;
        for (let i = 0; i < inputs; i++) {
          d.input[j * inputs + i]! += s * x[r * inputs + i]!;
          dx[i]! += s * input[j * inputs + i]!;
        }
      }
      // ∂E: each embedding gets its part of ∂x
      const reach = Math.min(context, row - cuSeqlens[sequence]! + 1);
      for (let back = 0; back < reach; back++) {
        const at = ids[row - back]! * width;
        for (let i = 0; i < width; i++) {
          d.embedding[at + i]! += dx[back * width + i]!;
        }
      }
    }
  }

  /** One step of Adam (Kingma and Ba 2015) with its usual constants. */
  step(learningRate: number): void {
    const weights = this.weights.all, gradient = this.gradient.all;
    const mean = this.#mean, square = this.#square;
    this.#steps++;
    const fix1 = 1 - 0.9 ** this.#steps, fix2 = 1 - 0.999 ** this.#steps;
    for (let i = 0; i < weights.length; i++) {
      const g = gradient[i]!;
      const m = mean[i] = 0.9 * mean[i]! + 0.1 * g;
      const v = square[i] = 0.999 * square[i]! + 0.001 * g * g;
      weights[i]! -= learningRate * (m / fix1) / (Math.sqrt(v / fix2) + 1e-8);
    }
  }
}
