// Sends one of each event with Snowplow's Node tracker. Arguments: the collector's address, the app id, "post" or "get",
// and the path for POST.
import {
  buildEcommerceTransaction,
  buildEcommerceTransactionItem,
  buildPageView,
  buildScreenView,
  buildSelfDescribingEvent,
  buildStructEvent,
  newTracker,
} from "@snowplow/node-tracker";

const [endpoint, appId, eventMethod, postPath] = process.argv.slice(2);
const failures = [];
const tracker = newTracker(
  { namespace: "server", appId, encodeBase64: eventMethod === "post" },
  { endpoint, eventMethod, postPath, bufferSize: 20, onRequestFailure: (failure) => failures.push(failure) },
);
tracker.setUserId("ada");
tracker.setDomainUserId("device-1");
tracker.setSessionId("session-1");
tracker.setLang("en-GB");

const cart = { schema: "iglu:com.acme/cart/jsonschema/1-0-0", data: { items: 2, note: "é 😀" } };
const bought = { schema: "iglu:com.acme/bought/jsonschema/1-0-0", data: { sku: "A-17", price: 12.5 } };
const identity = {
  schema: "iglu:com.snowplowanalytics.snowplow/identify/jsonschema/1-0-0",
  data: { id: "ada", email: "ada@example.org" },
};

tracker.track(buildPageView({ pageUrl: "https://shop.example/p/1", pageTitle: "Product" }), [cart]);
tracker.track(buildScreenView({ name: "Settings", id: "screen-1" }));
tracker.track(buildStructEvent({ category: "shop", action: "add", label: "A-17", property: "pcs", value: 2 }));
tracker.track(buildSelfDescribingEvent({ event: bought }), [cart], { type: "ttm", value: 1700000000123 });
tracker.track(buildSelfDescribingEvent({ event: identity }));
tracker.track(buildEcommerceTransaction({ orderId: "o-1", total: 25, currency: "EUR" }));
tracker.track(buildEcommerceTransactionItem({ orderId: "o-1", sku: "A-17", price: 12.5, quantity: 2 }));
await tracker.flush();
// The callbacks run in a later turn of the event loop.
await new Promise((resolve) => setTimeout(resolve, 10));
process.stdout.write(JSON.stringify(failures.map(({ status, willRetry }) => ({ status, willRetry }))));
