import { Events } from "@/features/events/events";
import { Funnel } from "@/features/funnel/funnel";
import { Headline } from "@/features/headline/headline";
import { Retention } from "@/features/retention/retention";
import { Trend } from "@/features/trend/trend";

/** The first page: what happened in the range, at a glance and then by question. */
export function Overview() {
  return (
    <div className="grid gap-4 xl:grid-cols-[minmax(0,1fr)_22rem] 2xl:grid-cols-[minmax(0,1fr)_26rem]">
      <div className="min-w-0 xl:col-span-2">
        <Headline />
      </div>
      <Trend />
      <Events />
      <Funnel className="xl:col-span-2" />
      <Retention className="xl:col-span-2" />
    </div>
  );
}
