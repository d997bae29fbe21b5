// The overview is there at once; the details of a test are unpacked when somebody looks at it.

const overview = JSON.parse(document.getElementById('overview').textContent);
const unpacked = new Map();

function detailsOf(number) {
  if (!unpacked.has(number)) unpacked.set(number, unpack(document.getElementById(`details-${number}`).textContent));
  return unpacked.get(number);
}

async function unpack(text) {
  const packed = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream('deflate'));
  return JSON.parse(await new Response(stream).text());
}

const serviceNames = [...new Set([
  ...overview.services.map((service) => service.name),
  ...overview.rows.flatMap((row) => row.services),
])].sort();

function colour(service) {
  const at = serviceNames.indexOf(service);
  return at < 0 ? 'var(--quiet)' : `var(--service-${at % 8})`;
}

function serviceName(name) {
  return element('span', {class: 'service'}, element('i', {class: 'dot', style: {background: colour(name)}}), name ?? '?');
}
