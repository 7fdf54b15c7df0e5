/** The root from CommonJS, as Node 20.19 and later and Bun allow it. */
"use strict";
const api = require("@sft/loss");

Promise.all([import("./consume.mjs"), import("./golden.mjs")]).then(
  ([{ consume }, { default: golden }]) => {
    console.log(JSON.stringify({ checks: consume(api, golden) }));
  },
);
