import { defineConfig } from "vite";

export default defineConfig({
  build: {
    // Nothing is minified, so that the frames of a stack trace show the names and lines that were written, without
    // source maps that would have to be uploaded. File names carry no hash: a frame keeps its address from build to
    // build, and the release says which build it was.
    minify: false,
    target: "es2022",
    cssTarget: "chrome123",
    modulePreload: { polyfill: false },
    rolldownOptions: {
      input: { frontend: "index.html" },
      output: {
        entryFileNames: "assets/[name].js",
        chunkFileNames: "assets/[name].js",
        assetFileNames: "assets/[name][extname]",
        codeSplitting: { groups: [{ name: "sentry", test: /node_modules/ }] },
      },
    },
  },
});
