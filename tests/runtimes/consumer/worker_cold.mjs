/** A Cloudflare worker that does neither, and is told what to do. */
import { maskLabels } from "@sft/loss";

export default {
  fetch() {
    try {
      maskLabels([1, 2], [[0, 1]]);
      return new Response("nothing was thrown");
    } catch (error) {
      return new Response(`${error.name}: ${error.message}`);
    }
  },
};
