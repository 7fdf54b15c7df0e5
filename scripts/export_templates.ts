/**
 * Writes the grid of chat templates and conversations to build/chat_grid.json,
 * where scripts/make_chat_vectors.py reads it. The templates are other people's
 * and stay in `build/`, which is no part of the repository.
 *
 *     GRID=all deno run --allow-read=. --allow-env --allow-write=build scripts/export_templates.ts
 *
 * @module
 */
import { CONVERSATIONS } from "../tests/chat/grid/conversations.ts";
import { LEFT_OUT, loadTemplates } from "../tests/chat/grid/templates.ts";

if (import.meta.main) {
  if (LEFT_OUT.length > 0) {
    console.error(`Run it with GRID=all: it would lack ${LEFT_OUT.join(", ")}`);
    Deno.exit(1);
  }
  const grid = {
    conversations: CONVERSATIONS,
    templates: await loadTemplates(),
  };
  Deno.mkdirSync("build", { recursive: true });
  Deno.writeTextFileSync("build/chat_grid.json", JSON.stringify(grid));
  console.log(
    `${grid.templates.length} templates, ${grid.conversations.length} conversations`,
  );
}
