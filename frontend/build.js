// Builds static/build from frontend/ and templates/. Run by `npm run build`; nothing it writes is committed.
import { execFile } from "node:child_process";
import { copyFile, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { promisify } from "node:util";
import { fileURLToPath } from "node:url";
import path from "node:path";
import * as esbuild from "esbuild";

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const out = path.join(root, "static", "build");
const inRoot = (...parts) => path.join(root, ...parts);
const run = promisify(execFile);

async function buildScripts() {
  // Two plain scripts instead of modules with split chunks: whitenoise renames files by their hash,
  // and a chunk's name written inside another script would not follow.
  await esbuild.build({
    entryPoints: [inRoot("frontend/js/app.js"), inRoot("frontend/js/charts.js")],
    outdir: out,
    bundle: true,
    minify: true,
    format: "iife",
    target: "es2022",
    legalComments: "none",
    logLevel: "warning",
  });
}

async function buildStyles() {
  const cli = inRoot("node_modules/@tailwindcss/cli/dist/index.mjs");
  const args = [cli, "--input", inRoot("frontend/css/app.css"), "--output", path.join(out, "app.css"), "--minify"];
  await run(process.execPath, args, { cwd: root });
}

async function namedIcons() {
  const { default: listed } = await import("./icons.json", { with: { type: "json" } });
  const names = new Set(listed);
  const files = await readdir(inRoot("templates"), { recursive: true });
  for (const file of files.filter((name) => name.endsWith(".html"))) {
    const text = await readFile(inRoot("templates", file), "utf8");
    for (const match of text.matchAll(/<c-icon\s+name="([a-z0-9-]+)"|\bicon="([a-z0-9-]+)"/g)) {
      names.add(match[1] ?? match[2]);
    }
  }
  return [...names].sort();
}

async function buildIcons() {
  const symbols = [];
  for (const name of await namedIcons()) {
    const source = await readFile(inRoot("node_modules/lucide-static/icons", `${name}.svg`), "utf8");
    const shapes = source.replace(/^[\s\S]*?<svg[^>]*>/, "").replace(/<\/svg>[\s\S]*$/, "").replace(/\s+/g, " ").trim();
    symbols.push(`<symbol id="${name}" viewBox="0 0 24 24">${shapes}</symbol>`);
  }
  const sprite = `<svg xmlns="http://www.w3.org/2000/svg">${symbols.join("")}</svg>\n`;
  await writeFile(path.join(out, "icons.svg"), sprite);
}

async function copyFonts() {
  const files = inRoot("node_modules/@fontsource-variable/inter/files");
  for (const subset of ["latin", "latin-ext"]) {
    const name = `inter-${subset}-wght-normal.woff2`;
    await copyFile(path.join(files, name), path.join(out, name));
  }
}

await mkdir(out, { recursive: true });
await Promise.all([buildScripts(), buildStyles(), buildIcons(), copyFonts()]);
