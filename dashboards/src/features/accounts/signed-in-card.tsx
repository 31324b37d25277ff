import { useMutation } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { EntryCard } from "@/components/entry";
import { Refusal } from "@/components/form";
import { type Me, signOut } from "@/lib/session";

/** Whoever is signed in and sees no project here, and why. */
export function SignedInCard({ me, children }: { me: Me; children: ReactNode }) {
  const leaving = useMutation({ mutationFn: () => signOut(me) });
  return (
    <EntryCard title={`Signed in as ${me.name}`} note={me.email} isFirst>
      <p className="mb-4 text-pretty text-sm">{children}</p>
      <Refusal error={leaving.error} />
      <button type="button" className="control" disabled={leaving.isPending} onClick={() => leaving.mutate()}>
        Sign out
      </button>
    </EntryCard>
  );
}
