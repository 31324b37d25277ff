import { createRootRoute, createRoute, createRouter, Link } from "@tanstack/react-router";
import { formatQueryString, parseQueryString, readSearch } from "@/lib/search";
import { Page } from "./page";

const root = createRootRoute({ notFoundComponent: NotFound });
const overview = createRoute({
  getParentRoute: () => root,
  path: "/",
  validateSearch: readSearch,
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
