import { fileURLToPath } from "node:url";
import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";
import { mockApi } from "./mock/plugin.ts";

const apiPort = Number(process.env["RADIXINSIGHT_PORT_BASE"] ?? 7100);

export default defineConfig(({ mode }) => ({
  plugins: [react(), tailwindcss(), mode === "mock" && mockApi()],
  resolve: { alias: { "@": fileURLToPath(new URL("./src", import.meta.url)) } },
  server: {
    host: "127.0.0.1",
    proxy: mode === "mock" ? {} : { "/v1": `http://127.0.0.1:${apiPort}`, "/docs": `http://127.0.0.1:${apiPort}` },
  },
  build: { assetsInlineLimit: 0, reportCompressedSize: false },
  test: { environment: "node", setupFiles: ["./vitest.setup.ts"], include: ["src/**/*.test.{ts,tsx}"] },
}));
