// @vitest-environment jsdom

import { screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, expect, test, vi } from "vitest";
import { ada, problem, show, stubApi, unauthenticated } from "@/testing/stub-api";
import { SignInForm } from "./sign-in-form";

afterEach(() => vi.unstubAllGlobals());

async function enter(password = "correct horse battery staple") {
  await userEvent.type(screen.getByLabelText("E-mail"), " ada@example.com");
  await userEvent.type(screen.getByLabelText("Password"), `${password}{Enter}`);
}

test("a code is asked for where the account has a second factor, and sent with the same password", async () => {
  const asked = stubApi((what, body) => {
    if (what === "GET /v1/me") return ada;
    if (what !== "POST /v1/sign-in") return { providers: [] };
    return body["code"] === "123456" ? null : problem(401, body["code"] ? "code_invalid" : "second_factor_needed");
  });
  const onDone = vi.fn();
  show(<SignInForm onDone={onDone} />);
  await enter();
  const code = await screen.findByLabelText("Code");
  expect(screen.getByRole("alert").textContent).toBe("");

  await userEvent.type(code, "000000{Enter}");
  expect((await screen.findByText(/About code_invalid/)).textContent).toBeTruthy();
  await userEvent.clear(code);
  await userEvent.type(code, "123456{Enter}");
  await vi.waitFor(() => expect(onDone).toHaveBeenCalled());
  const last = asked.findLast(({ url }) => url.endsWith("/sign-in"));
  expect(await last?.json()).toEqual({
    email: "ada@example.com",
    password: "correct horse battery staple",
    code: "123456",
  });
});

test("a wrong password is told in the API's words, and nobody is signed in", async () => {
  stubApi((what) => {
    if (what === "GET /v1/me") return unauthenticated;
    return what === "POST /v1/sign-in" ? problem(401, "sign_in_failed") : { providers: [] };
  });
  const onDone = vi.fn();
  show(<SignInForm onDone={onDone} />);
  await enter("wrong");
  expect((await screen.findByText(/About sign_in_failed/)).closest("[role=alert]")).toBeTruthy();
  expect(screen.queryByLabelText("Code")).toBeNull();
  expect(onDone).not.toHaveBeenCalled();
});

test("the organisation's own login is offered once the address is there, and comes back to the view", async () => {
  window.history.replaceState(null, "", "/?project=2&event=a%26b");
  stubApi(() => ({ providers: [{ id: 7, name: "Acme", kind: "oidc", start: "/v1/sign-in/providers/7/start" }] }));
  show(<SignInForm />);
  await userEvent.type(screen.getByLabelText("E-mail"), "ada@acme.example{Tab}");
  const way = await screen.findByRole("link", { name: "Sign in by Acme" });
  expect(way.getAttribute("href")).toBe(
    `/v1/sign-in/providers/7/start?return_to=${encodeURIComponent("/?project=2&event=a%26b")}`,
  );
});
