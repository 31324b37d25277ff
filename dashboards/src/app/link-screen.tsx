import { Entry } from "@/components/entry";
import { Invitation } from "@/features/accounts/invitation";
import { ResetPassword } from "@/features/accounts/reset-password";
import { VerifyEmail } from "@/features/accounts/verify-email";
import { SharedLink } from "@/features/shared/shared-link";
import { type Link, leaveLink } from "@/lib/link";

const ACCOUNTS = { invitation: Invitation, "verify-email": VerifyEmail, "reset-password": ResetPassword };

/** What a mailed or shared link leads to, in place of the page until one is done with it. */
export function LinkScreen({ link: { kind, token } }: { link: Link }) {
  if (kind === "shared") return <SharedLink token={token} onLeave={leaveLink} />;
  const Screen = ACCOUNTS[kind];
  return (
    <Entry>
      <Screen token={token} onLeave={leaveLink} />
    </Entry>
  );
}
