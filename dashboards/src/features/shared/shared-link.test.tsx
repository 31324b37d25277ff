// @vitest-environment jsdom

import { screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, expect, test, vi } from "vitest";
import { problem, show, stubApi } from "@/testing/stub-api";
import { SharedLink } from "./shared-link";

afterEach(() => vi.unstubAllGlobals());

const place = { x: 0, y: 0, width: 6, height: 4 };
const dashboard = {
  kind: "dashboard",
  name: "Shop",
  description: "Mondays",
  timezone: "UTC",
  query_kind: null,
  tiles: [
    { ...place, y: 4, kind: "text", id: "about", text: "Of the shop alone." },
    { ...place, kind: "insight", id: "steps", name: "Lifecycle", query_kind: "lifecycle", is_in_trash: false },
    { ...place, x: 6, kind: "insight", id: "list", name: "Persons", query_kind: null, is_in_trash: false },
    { ...place, y: 8, kind: "insight", id: "gone", name: "Buyers", query_kind: null, is_in_trash: true },
  ],
};
const result = {
  kind: "lifecycle",
  data: {
    interval: "day",
    timezone: "UTC",
    buckets: [
      {
        start: "2026-03-01T00:00:00+00:00",
        is_complete: true,
        new_persons: 3,
        returning_persons: 4,
        resurrecting_persons: 5,
        dormant_persons: -6,
        active_persons: 1234,
      },
    ],
  },
  computed_at: "2026-03-02T00:00:00Z",
  fresh_until: null,
};
const opened = { token_type: "Bearer", access_token: "sv_abc", expires_at: "2027-01-01T00:00:00Z" };

test("a dashboard is shown with its texts, the figures as tables, and what is not shown by link", async () => {
  const asked = stubApi((what) => {
    if (what === "POST /v1/shared/open") return opened;
    return what === "GET /v1/shared" ? dashboard : result;
  });
  show(<SharedLink token="sl_1_abc" onLeave={() => undefined} />);
  const tile = await screen.findByRole("region", { name: "Lifecycle" });
  expect((await within(tile).findByText("1,234")).closest("tr")?.textContent).toContain("Mar 1, 2026");
  expect(screen.getByText("Of the shop alone.")).toBeTruthy();
  expect(within(screen.getByRole("region", { name: "Persons" })).getByText("Not shown by link")).toBeTruthy();
  expect(within(screen.getByRole("region", { name: "Buyers" })).getByText("In the trash")).toBeTruthy();
  expect(asked.slice(1).every(({ headers }) => headers.get("authorization") === "Bearer sv_abc")).toBe(true);
  expect(asked.every(({ url }) => !url.includes("sl_1_abc"))).toBe(true);
});

test("a link with a password asks for it, says that it was wrong, and opens with the right one", async () => {
  stubApi((what, body) => {
    if (what === "GET /v1/shared") return { ...dashboard, tiles: [] };
    return body["password"] === "open sesame" ? opened : problem(401, "link_password_wrong");
  });
  show(<SharedLink token="sl_1_abc" onLeave={() => undefined} />);
  const field = await screen.findByLabelText("Password");
  expect(screen.queryByText(/is wrong/)).toBeNull();
  await userEvent.type(field, "open{Enter}");
  expect(await screen.findByText(/The password is wrong/)).toBeTruthy();
  await userEvent.clear(field);
  await userEvent.type(field, "open sesame{Enter}");
  expect(await screen.findByText("The dashboard is empty")).toBeTruthy();
});

test("a link that was taken back says so, also when that happens while it is open", async () => {
  let isRevoked = false;
  stubApi((what) => {
    if (what === "POST /v1/shared/open") return isRevoked ? problem(404, "link_unknown") : opened;
    return isRevoked ? problem(404, "link_unknown") : { ...dashboard, tiles: [] };
  });
  const onLeave = vi.fn();
  show(<SharedLink token="sl_1_abc" onLeave={onLeave} />);
  await screen.findByText("The dashboard is empty");
  isRevoked = true;
  window.dispatchEvent(new Event("visibilitychange"));
  expect(await screen.findByText(/About link_unknown/)).toBeTruthy();
  await userEvent.click(screen.getByRole("button", { name: "To the page" }));
  expect(onLeave).toHaveBeenCalled();
});
