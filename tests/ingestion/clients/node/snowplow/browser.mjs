// Runs Snowplow's browser tracker on a page of jsdom. Arguments: the collector's address, the app id, "post" or "get",
// and the path for POST.
import { JSDOM } from "jsdom";

const [endpoint, appId, eventMethod, postPath] = process.argv.slice(2);
const page = new JSDOM("<title>Product</title>", {
  url: "https://shop.example/p/1?utm_source=mail&utm_campaign=spring",
  referrer: "https://search.example/",
});
// The tracker takes its browser from the global scope; fetch and Request are Node's own.
Object.assign(globalThis, { window: page.window, document: page.window.document, screen: page.window.screen });
Object.defineProperty(globalThis, "navigator", { value: page.window.navigator });
const { flushBuffer, newTracker, setUserId, trackPageView, trackSelfDescribingEvent, trackStructEvent } = await import(
  "@snowplow/browser-tracker"
);

const answers = [];
newTracker("web", endpoint, {
  appId,
  eventMethod,
  postPath,
  contexts: { session: true },
  onRequestSuccess: (events) => answers.push(events.length),
  onRequestFailure: ({ status }) => answers.push(-(status ?? 1)),
});
trackPageView();
setUserId("ada");
trackSelfDescribingEvent({
  event: { schema: "iglu:com.snowplowanalytics.snowplow/identify/jsonschema/1-0-0", data: { id: "ada" } },
});
trackStructEvent({ category: "shop", action: "add", value: 2 });
flushBuffer();
const deadline = Date.now() + 10_000;
while (answers.reduce((sum, count) => sum + Math.abs(count), 0) < 3 && Date.now() < deadline) {
  await new Promise((resolve) => setTimeout(resolve, 10));
}
process.stdout.write(JSON.stringify(answers));
process.exit();
