import { afterEach } from "vitest";

// Most tests are of plain functions and need no document; those that do say so in their first line.
if (typeof document !== "undefined") {
  const { cleanup } = await import("@testing-library/react");
  afterEach(() => {
    cleanup();
    localStorage.clear();
  });
}
