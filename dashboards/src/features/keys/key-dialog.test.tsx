// @vitest-environment jsdom

import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { render, screen } from "@testing-library/react";
import { expect, test } from "vitest";
import { ApiProblem } from "@/lib/api";
import { KeyDialog } from "./key-dialog";

// jsdom knows the element but cannot open it.
HTMLDialogElement.prototype.showModal = function showModal() {
  this.open = true;
};

const good = { id: 1, name: "Shop", timezone: "UTC", week_start: 1, apiKey: "rk_shop" };
const refusal = new ApiProblem({
  status: 401,
  code: "api_key_invalid",
  title: "The API key is not valid",
  detail: "It is unknown. Use a key that `radixinsight` made.",
});

test("a refused key beside a good one says why in the API's words", () => {
  render(
    <QueryClientProvider client={new QueryClient()}>
      <KeyDialog
        statuses={[
          { apiKey: "rk_wrong", projects: [], problem: refusal, isPending: false },
          { apiKey: "rk_shop", projects: [good], problem: null, isPending: false },
        ]}
        onClose={() => undefined}
      />
    </QueryClientProvider>,
  );
  const [wrong, right] = screen.getAllByRole("listitem");
  expect(wrong?.textContent).toContain("The API key is not valid: It is unknown. Use a key that radixinsight made.");
  expect(right?.textContent).toContain("Shop");
  expect(screen.getByText("radixinsight").tagName).toBe("CODE");
});
