/** Module hooks: whoever imports the one module gets the other, except that other one itself. */

const here = new URL(".", import.meta.url).href;
let replacement;

export function initialize(data) {
  replacement = data;
}

export async function resolve(specifier, context, next) {
  const { service, original, standIn } = replacement;
  if (context.parentURL?.startsWith(here) && !specifier.startsWith(".")) {
    // A stand-in finds packages where the service would find them, and the service's files as "service/src/...".
    const wanted = specifier.startsWith("service/") ? service + specifier.slice("service/".length) : specifier;
    return next(wanted, { ...context, parentURL: `${service}server.mjs` });
  }
  const found = await next(specifier, context);
  return specifier === original || found.url === original ? { ...found, url: standIn } : found;
}
