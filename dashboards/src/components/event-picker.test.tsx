// @vitest-environment jsdom

import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test, vi } from "vitest";
import { EventPicker } from "./event-picker";

const names = [
  { event: "catalog", events: 9146, persons: 518 },
  { event: "cart", events: 2407, persons: 235 },
  { event: "purchase", events: 1386, persons: 152 },
];

function open(value: string | null) {
  const onChange = vi.fn();
  render(<EventPicker label="Event" value={value} names={names} anyLabel="Any event" onChange={onChange} />);
  return { onChange, button: screen.getByRole("button") };
}

const shown = () => screen.getAllByRole("option").map((option) => option.textContent);

test("typing narrows the list, Enter takes the first that is left", async () => {
  const { onChange, button } = open(null);
  await userEvent.click(button);
  await userEvent.keyboard("CA");
  expect(shown()).toEqual(["catalog9.1K", "cart2.4K"]);
  await userEvent.keyboard("{ArrowDown}{Enter}");
  expect(onChange).toHaveBeenCalledWith("cart");
});

test("choosing gives the focus back to the button", async () => {
  const { button } = open(null);
  await userEvent.click(button);
  await userEvent.keyboard("{End}{Enter}");
  expect(document.activeElement).toBe(button);
  expect(screen.queryByRole("listbox")).toBeNull();
});

test("Escape closes without a choice", async () => {
  const { onChange, button } = open("cart");
  await userEvent.click(button);
  await userEvent.keyboard("{Escape}");
  expect(screen.queryByRole("listbox")).toBeNull();
  expect(onChange).not.toHaveBeenCalled();
});

test("any event is null", async () => {
  const { onChange, button } = open("cart");
  await userEvent.click(button);
  await userEvent.click(screen.getByRole("option", { name: "Any event" }));
  expect(onChange).toHaveBeenCalledWith(null);
});

test("an event of the address that is not in the range stays visible", async () => {
  const { button } = open("refund");
  expect(button.textContent).toContain("refund");
  await userEvent.click(button);
  expect(screen.getByRole("option", { selected: true }).textContent).toContain("none in range");
});
