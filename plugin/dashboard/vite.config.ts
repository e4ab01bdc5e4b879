import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

// Plain files with hashed names and relative addresses: the same bytes are served by the embedded archive,
// by a real XNAT (from the plugin's JAR) and below any context path.
export default defineConfig({
  root: here("."),
  base: "./",
  publicDir: false,
  resolve: {
    // niivue can read zarr; we never do, and its codecs weigh 1.3 MB
    alias: [{ find: /^zarrita$|^numcodecs(\/.*)?$/, replacement: here("./src/lib/no-zarr.ts") }],
  },
  esbuild: { jsx: "automatic", jsxImportSource: "preact", legalComments: "none" },
  build: {
    outDir: process.env.LETHE_DASHBOARD_OUT ?? here("../../src/lethe/archive/dashboard"),
    emptyOutDir: true,
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 1200,
    reportCompressedSize: false,
  },
  server: { proxy: { "/data": "http://127.0.0.1:8080", "/xapi": "http://127.0.0.1:8080" } },
  test: { include: ["tests/**/*.test.ts"], environment: "node" },
});
