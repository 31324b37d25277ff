import { createRootRoute, createRoute, createRouter, Link } from "@tanstack/react-router";
import { formatQueryString, parseQueryString, readSearch, type Search } from "@/lib/search";
import { Page } from "./page";

const root = createRootRoute({ notFoundComponent: NotFound });
const overview = createRoute({
  getParentRoute: () => root,
  path: "/",
  validateSearch: readView,
  component: Page,
});

export const router = createRouter({
  routeTree: root.addChildren([overview]),
  parseSearch: parseQueryString,
  stringifySearch: formatQueryString,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}

/** The router lays the result over the address as it is: what was refused has to be there, as undefined, to be gone. */
function readView(raw: Record<string, unknown>): Search {
  const blank: Search = Object.fromEntries(Object.keys(raw).map((name) => [name, undefined]));
  return { ...blank, ...readSearch(raw) };
}

function NotFound() {
  return (
    <main className="grid min-h-dvh place-content-center gap-2 px-4 text-center">
      <h1 className="font-semibold text-lg">There is no page at this address</h1>
      <Link to="/" className="underline underline-offset-2">
        Go to the overview
      </Link>
    </main>
  );
}
