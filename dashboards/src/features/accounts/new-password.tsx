import { Field } from "@/components/form";

/** The field of a password that is chosen. */
export function NewPassword() {
  return (
    <Field
      label="Password"
      name="password"
      type="password"
      autoComplete="new-password"
      required
      minLength={12}
      maxLength={256}
      hint="12 characters or more, and none that is guessed among the first."
    />
  );
}
