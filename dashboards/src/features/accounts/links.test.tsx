// @vitest-environment jsdom

import { screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, expect, test, vi } from "vitest";
import { ada, problem, show, stubApi, unauthenticated } from "@/testing/stub-api";
import { Invitation } from "./invitation";
import { ResetPassword } from "./reset-password";
import { VerifyEmail } from "./verify-email";

afterEach(() => vi.unstubAllGlobals());

const invitation = { email: "Ada@example.com", organisation: "Shop", expires_at: "2027-01-01T00:00:00Z" };
const PASSWORD = "correct horse battery staple";

test("whoever has no account joins by a name and a password", async () => {
  let me: object = unauthenticated;
  const asked = stubApi((what) => {
    if (what === "POST /v1/invitations/look-up") return invitation;
    if (what === "GET /v1/me") return me;
    me = ada;
    return null;
  });
  const onLeave = vi.fn();
  show(<Invitation token="ri_abc" onLeave={onLeave} />);
  await userEvent.type(await screen.findByLabelText("Name"), "Ada");
  await userEvent.type(screen.getByLabelText("Password"), `${PASSWORD}{Enter}`);
  await vi.waitFor(() => expect(onLeave).toHaveBeenCalled());
  const sent = await asked.find(({ url }) => url.endsWith("/sign-up"))?.json();
  expect(sent).toEqual({ invitation: "ri_abc", name: "Ada", password: PASSWORD });
});

test("whoever has an account is asked to sign in with it", async () => {
  stubApi((what) => {
    if (what === "POST /v1/invitations/look-up") return invitation;
    if (what === "POST /v1/sign-up") return problem(409, "account_exists");
    return what === "GET /v1/me" ? unauthenticated : { providers: [] };
  });
  show(<Invitation token="ri_abc" onLeave={() => undefined} />);
  await userEvent.type(await screen.findByLabelText("Name"), "Ada");
  await userEvent.type(screen.getByLabelText("Password"), `${PASSWORD}{Enter}`);
  expect((await screen.findByLabelText<HTMLInputElement>("E-mail")).value).toBe("Ada@example.com");
});

test("whoever is signed in joins with the account, and proves that the page asks for it", async () => {
  const asked = stubApi((what) => {
    if (what === "POST /v1/invitations/look-up") return invitation;
    return what === "GET /v1/me" ? ada : { organisation_id: 1 };
  });
  const onLeave = vi.fn();
  show(<Invitation token="ri_abc" onLeave={onLeave} />);
  await userEvent.click(await screen.findByRole("button", { name: "Join" }));
  await vi.waitFor(() => expect(onLeave).toHaveBeenCalled());
  const sent = asked.find(({ url }) => url.endsWith("/accept"));
  expect(sent?.headers.get("x-csrf-token")).toBe("csrf-of-ada");
});

test("an invitation for another address than that of whoever is signed in is not accepted", async () => {
  stubApi((what) => (what === "GET /v1/me" ? { ...ada, email: "eve@example.com" } : invitation));
  show(<Invitation token="ri_abc" onLeave={() => undefined} />);
  expect(await screen.findByText(/signed in as eve@example.com/)).toBeTruthy();
  expect(screen.queryByRole("button", { name: "Join" })).toBeNull();
});

test("what is wrong with a link is said, and the page is a step away", async () => {
  stubApi((what) => (what === "GET /v1/me" ? unauthenticated : problem(404, "link_invalid")));
  const onLeave = vi.fn();
  show(
    <>
      <Invitation token="ri_abc" onLeave={onLeave} />
      <VerifyEmail token="rm_abc" onLeave={onLeave} />
      <ResetPassword token="rm_abc" onLeave={onLeave} />
    </>,
  );
  await userEvent.click(screen.getByRole("button", { name: "It is mine" }));
  await userEvent.type(screen.getByLabelText("Password"), `${PASSWORD}{Enter}`);
  await vi.waitFor(() => expect(screen.getAllByText(/About link_invalid/)).toHaveLength(3));
  for (const button of screen.getAllByRole("button", { name: "To the page" })) await userEvent.click(button);
  expect(onLeave).toHaveBeenCalledTimes(3);
});

test("a password that is too weak is told, and another may be tried", async () => {
  let tried = 0;
  stubApi((what) => {
    if (what === "GET /v1/me") return unauthenticated;
    tried += 1;
    return tried === 1 ? problem(422, "password_too_weak") : null;
  });
  show(<ResetPassword token="rm_abc" onLeave={() => undefined} />);
  await userEvent.type(screen.getByLabelText("Password"), "password1234{Enter}");
  expect(await screen.findByText(/About password_too_weak/)).toBeTruthy();
  await userEvent.type(screen.getByLabelText("Password"), `${PASSWORD}{Enter}`);
  expect(await screen.findByText("The new password holds")).toBeTruthy();
});
