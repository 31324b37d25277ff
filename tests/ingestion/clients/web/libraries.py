"""Other products' libraries for browsers, as they are published on npm, and how a page starts them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Library:
    """A library: its file, and statements that start it (with the collector's address and a key) and define `track`."""

    file: str
    start: str


AMPLITUDE = Library(
    "amplitude/@amplitude/analytics-browser/lib/scripts/amplitude-min.js",
    """
    addEventListener('pagehide', () => { amplitude.setTransport('beacon'); amplitude.flush(); });
    await amplitude.init(key, {
      serverUrl: `${host}/2/httpapi`, remoteConfig: { fetchRemoteConfig: false }, flushMaxRetries: 100,
      autocapture: true,
    }).promise;
    window.track = (name) => amplitude.track(name);
    """,
)
MIXPANEL = Library(
    "mixpanel/mixpanel-browser/dist/mixpanel.umd.js",
    """
    mixpanel.init(key, { api_host: host, track_pageview: true, batch_flush_interval_ms: 500 });
    window.track = (name) => mixpanel.track(name);
    """,
)
POSTHOG = Library(
    "posthog/posthog-js/dist/array.js",
    # It sends nothing for a browser that a program steers.
    """
    await new Promise((loaded) => posthog.init(key, { api_host: host, loaded, opt_out_useragent_filter: true }));
    window.track = (name) => posthog.capture(name);
    """,
)
RUDDERSTACK = Library(
    "segment/@rudderstack/analytics-js/dist/npm/modern/bundled/umd/index.js",
    """
    const rudder = window.rudder = new rudderanalytics.RudderAnalytics();
    await new Promise((onLoaded) => rudder.load(key, host, { configUrl: host, onLoaded }));
    rudder.page();
    window.track = (name) => rudder.track(name);
    """,
)
RUDDERSTACK_WITH_BEACONS = Library(
    RUDDERSTACK.file, RUDDERSTACK.start.replace("onLoaded })", "onLoaded, useBeacon: true })")
)
SEGMENT = Library(
    "segment/@segment/analytics-next/dist/umd/index.js",
    """
    const deliveryStrategy = { strategy: 'standard' };
    const integrations = { 'Segment.io': { deliveryStrategy } };
    const segment = window.segment = AnalyticsNext.AnalyticsBrowser.load(
      { writeKey: key, cdnURL: host }, { integrations },
    );
    await segment.page();
    window.track = (name) => segment.track(name);
    """,
)
SEGMENT_IN_BATCHES = Library(SEGMENT.file, SEGMENT.start.replace("'standard'", "'batching', config: { timeout: 500 }"))
SNOWPLOW = Library(
    "snowplow/@snowplow/browser-tracker/dist/index.umd.js",
    """
    const snowplow = window.snowplow = snowplowBrowserTracking;
    snowplow.newTracker('web', host, { appId: key, keepalive: true });
    snowplow.trackPageView();
    window.track = (name) => snowplow.trackStructEvent({ category: 'shop', action: name });
    """,
)
LIBRARIES = {
    "amplitude": AMPLITUDE,
    "mixpanel": MIXPANEL,
    "posthog": POSTHOG,
    "rudderstack": RUDDERSTACK,
    "rudderstack-beacons": RUDDERSTACK_WITH_BEACONS,
    "segment": SEGMENT,
    "segment-batches": SEGMENT_IN_BATCHES,
    "snowplow": SNOWPLOW,
}
