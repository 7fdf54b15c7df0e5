/**
 * Dates as Python writes them.
 *
 * Source: Python's documentation of `strftime`; in UTC and English, whatever
 * the machine's own time and language.
 *
 * @module
 */

const DAYS = "Sunday Monday Tuesday Wednesday Thursday Friday Saturday";
const MONTHS = "January February March April May June July August September " +
  "October November December";

/** Python's `date.strftime(format)` in UTC and English. */
export function strftime(date: Date, format: string): string {
  const pad = (n: number, width = 2) => String(n).padStart(width, "0");
  const day = DAYS.split(" ")[date.getUTCDay()]!;
  const month = MONTHS.split(" ")[date.getUTCMonth()]!;
  const hour = date.getUTCHours();
  const year = date.getUTCFullYear();
  const dayOfYear = (Date.UTC(year, date.getUTCMonth(), date.getUTCDate()) -
        Date.UTC(year, 0, 1)) / 86_400_000 + 1;
  const fields: Record<string, string> = {
    A: day,
    a: day.slice(0, 3),
    B: month,
    b: month.slice(0, 3),
    d: pad(date.getUTCDate()),
    H: pad(hour),
    I: pad(hour % 12 || 12),
    j: pad(dayOfYear, 3),
    M: pad(date.getUTCMinutes()),
    m: pad(date.getUTCMonth() + 1),
    p: hour < 12 ? "AM" : "PM",
    S: pad(date.getUTCSeconds()),
    Y: String(year),
    y: pad(year % 100),
    Z: "",
    z: "",
    "%": "%",
  };
  const { Y, m, d, H, M, S, y } = fields;
  Object.assign(fields, {
    F: `${Y}-${m}-${d}`,
    T: `${H}:${M}:${S}`,
    D: `${m}/${d}/${y}`,
  });
  return format.replace(/%(-?)([A-Za-z%])/g, (whole, minus, letter) => {
    const text = fields[letter];
    if (text === undefined) throw new Error(`strftime_now: unknown ${whole}`);
    return minus === "" ? text : text.replace(/^0+(?=.)/, "");
  });
}
