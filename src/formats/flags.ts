/**
 * What a turn of a file says of its own training, under the names that trainers
 * give it, as `train` and `weight`:
 *
 * | field | of | values |
 * |---|---|---|
 * | `train` | this library | true, false |
 * | `training` | axolotl | true, false |
 * | `loss` | ms-swift | true, false, 1, 0 |
 * | `weight`, `loss_weight` | OpenAI, LLaMA-Factory | a finite number |
 *
 * ms-swift applies `loss` to answers alone, so `loss: true` of a prompt says
 * nothing here either.
 *
 * @module
 */
import { fault, type Fields, own } from "./fault.ts";

/** The fields that are read here. */
export const FLAGS = [
  "train",
  "training",
  "loss",
  "weight",
  "loss_weight",
] as const;

/** Roles that ask; those of a template's own may answer. */
const PROMPTS: ReadonlySet<string> = new Set([
  "system",
  "developer",
  "user",
  "tool",
]);

/** Whether the turn is trained, where it says so. */
export function readTrain(
  place: string,
  turn: Fields,
  role: string,
): boolean | undefined {
  let found: { name: string; train: boolean } | undefined;
  for (const name of ["train", "training", "loss"]) {
    const given = own(turn, name);
    if (given === undefined) continue;
    const isNumber = name === "loss" && (given === 0 || given === 1);
    if (typeof given !== "boolean" && !isNumber) {
      const wish = name === "loss" ? "true, false, 1 or 0" : "true or false";
      fault(`${place}.${name}`, wish, given);
    }
    const train = Boolean(given);
    if (name === "loss" && train && PROMPTS.has(role)) continue;
    if (found !== undefined && found.train !== train) {
      throw new SyntaxError(
        `${place} has ${found.name} ${found.train} and ${name} ${train}`,
      );
    }
    found ??= { name, train };
  }
  return found?.train;
}

/** The weight of the turn's trained tokens, where it says one. */
export function readWeight(place: string, turn: Fields): number | undefined {
  let found: number | undefined;
  for (const name of ["weight", "loss_weight"]) {
    const weight = own(turn, name);
    if (weight === undefined) continue;
    if (typeof weight !== "number") {
      fault(`${place}.${name}`, "a number", weight);
    }
    if (
      Number.isFinite(weight) && Math.abs(weight) > Number.MAX_SAFE_INTEGER
    ) {
      throw new SyntaxError(
        `${place}.${name} must be a number within 2^53: got ${weight}`,
      );
    }
    if (found !== undefined && found !== weight) {
      throw new SyntaxError(`${place} has a weight and another loss_weight`);
    }
    found = weight;
  }
  return found;
}
