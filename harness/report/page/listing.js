// The list of all tests, with search and filters; it stays in the page while a test is looked at.

const FILTERS = [
  ['all', () => true],
  ['failed', (row) => ['failed', 'error'].includes(row.outcome)],
  ['findings', (row) => row.errors + row.warnings > 0],
  ['differences', (row) => Object.keys(row.differences).length > 0],
  ['passed', (row) => row.outcome === 'passed'],
  ['skipped', (row) => row.outcome === 'skipped'],
  ['not run', (row) => row.outcome === 'not run'],
];

const MARKS = {passed: '✓', failed: '✕', error: '✕', skipped: '–', 'not run': '…'};

function outcomeMark(outcome) {
  return element('span', {class: `outcome ${outcome.replace(' ', '-')}`, role: 'img', 'aria-label': outcome}, MARKS[outcome]);
}

function listing() {
  const entries = overview.rows.map((row, number) => ({row, node: rowView(row, number), text: searchText(row)}));
  const wanted = {filter: 'all', service: '', words: []};
  const count = element('span', {class: 'quiet', role: 'status'});
  const none = element('p', {class: 'quiet', hidden: true}, 'Nothing here matches.');
  const apply = () => {
    const test = FILTERS.find(([name]) => name === wanted.filter)[1];
    let shown = 0;
    for (const {row, node, text} of entries) {
      const fits = test(row) && (!wanted.service || row.service === wanted.service || row.services.includes(wanted.service))
        && wanted.words.every((word) => text.includes(word));
      node.hidden = !fits;
      shown += fits;
    }
    count.textContent = `${shown} of ${entries.length}`;
    none.hidden = shown > 0;
  };
  const chips = FILTERS.map(([name, test]) => {
    const size = overview.rows.filter(test).length;
    return size || name === 'all' ? element('button', {type: 'button', class: 'chip', 'aria-pressed': String(name === 'all'),
      onclick: (click) => {
        wanted.filter = name;
        for (const chip of chips) chip?.setAttribute('aria-pressed', String(chip === click.currentTarget));
        apply();
      }}, name, ' ', element('b', null, String(size))) : null;
  });
  const search = element('input', {type: 'search', id: 'search', placeholder: 'Search: endpoint, test, error, finding …  ( / )', 'aria-label': 'Search',
    oninput: (input) => {
      wanted.words = input.target.value.toLowerCase().split(/\s+/).filter(Boolean);
      apply();
    }});
  const choice = element('select', {'aria-label': 'Service', onchange: (change) => {
    wanted.service = change.target.value;
    apply();
  }}, element('option', {value: ''}, 'every service'), serviceNames.map((name) => element('option', {value: name}, name)));
  apply();
  return section('Scenarios',
    element('div', {class: 'controls'}, search, serviceNames.length > 1 && choice, element('div', {class: 'chosen'}, chips, count)),
    element('div', {class: 'rows'}, entries.map(({node}) => node)), none);
}

function searchText(row) {
  return [row.title, row.id, row.outcome, row.status, row.why, ...row.services, ...row.codes, ...row.events].join(' ').toLowerCase();
}

function rowView(row, number) {
  const notes = [
    row.errors ? badge(plural(row.errors, 'finding'), 'error') : null,
    row.warnings ? badge(plural(row.warnings, 'warning'), 'warning') : null,
    row.allowed ? badge(`${row.allowed} allowed`, 'allowed') : null,
    Object.entries(row.differences).map(([kind, size]) => badge(`${size} ${kind}`, kind === 'gained' ? 'warning' : 'error')),
  ];
  const [method, path] = /^(\S+) ([A-Z]+) (\/.*)$/.test(row.title) ? row.title.split(' ').slice(1, 3) : [null, null];
  return element('a', {class: 'row', href: `#test-${number}`},
    outcomeMark(row.outcome),
    element('span', {class: 'what'},
      element('span', {class: 'name'}, path ? [element('span', {class: 'method'}, method), path] : row.title),
      element('span', {class: 'quiet test'}, row.id.split('::').slice(1).join('::')),
      row.why && row.outcome !== 'passed' ? element('span', {class: `why${row.outcome === 'skipped' ? ' mild' : ''}`}, row.why) : null),
    element('span', {class: 'notes'}, notes),
    element('span', {class: 'path'}, row.services.length ? row.services.map((name, at) => [at ? ' → ' : '', serviceName(name)]) : row.service ? serviceName(row.service) : null),
    element('span', {class: 'quiet count'}, row.events.length ? plural(row.events.length, 'event') : '', row.events.length && row.spans ? ', ' : '', row.spans ? plural(row.spans, 'span') : ''),
    element('span', {class: 'status'}, row.status ?? ''),
    element('span', {class: 'quiet ms'}, milliseconds(row.ms)));
}
