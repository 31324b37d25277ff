import { useQuery } from "@tanstack/react-query";
import { Empty } from "@/components/notices";
import { Events } from "@/features/events/events";
import { Funnel } from "@/features/funnel/funnel";
import { Headline } from "@/features/headline/headline";
import { Retention } from "@/features/retention/retention";
import { Trend } from "@/features/trend/trend";
import { eventNamesQuery } from "@/lib/insights";
import { useView } from "@/lib/view";

/** The first page: what happened in the range, at a glance and then by question. */
export function Overview() {
  const { project, range } = useView();
  const { data } = useQuery(eventNamesQuery(project, range));
  if (data !== undefined && data.meta.fresh_until === null) return <FirstEvent name={project.name} />;
  return (
    <div className="grid grid-cols-1 gap-4 xl:grid-cols-[minmax(0,1fr)_22rem] 2xl:grid-cols-[minmax(0,1fr)_26rem]">
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

function FirstEvent({ name }: { name: string }) {
  return (
    <div className="rounded-lg border border-line border-dashed py-12">
      <Empty title={`${name} waits for its first event`}>
        Send one to the collector with the project's write key. It is counted here after the next model run; this page
        looks again every minute.
      </Empty>
    </div>
  );
}
