// The status page: asks for status.json again and again and shows it. Whatever came from outside (names, routes, texts) is
// put into the page as text, never as markup; nodes are kept and changed, so that nothing jumps and nothing piles up.
'use strict';

const PERIOD = 1000; // ms from one answer to the next question
const PATIENCE = 5000; // ms that an answer may take
const RETRY = 2000; // ms to the next question after one that had no answer
const CELLS = 400; // at most, in the picture of a pool
const ACROSS = 40; // cells in one of its lines
const SPAN = 120; // seconds in a plot
const SVG = 'http://www.w3.org/2000/svg';

const $ = id => document.getElementById(id);

// ---- Words and numbers ----

const formats = {};
const fixed = (number, digits) =>
  (formats[digits] ??= new Intl.NumberFormat('en', { minimumFractionDigits: digits, maximumFractionDigits: digits })).format(number);
const known = value => typeof value === 'number' && Number.isFinite(value);
const NONE = '–';
const GAP = '\u00a0'; // between a number and its unit no line ends

// Three digits that count: 1.23, 12.3, 123
const three = number => fixed(number, number >= 99.95 || number === 0 ? 0 : number >= 9.995 ? 1 : 2);

const scaled = (number, units) => {
  let unit = 0;
  while (unit + 1 < units.length && number >= units[unit + 1][0] * 0.9995) unit++;
  return [three(number / units[unit][0]), units[unit][1]];
};
const SIZES = [[1, 'B'], [1024, 'KiB'], [1024 ** 2, 'MiB'], [1024 ** 3, 'GiB'], [1024 ** 4, 'TiB'], [1024 ** 5, 'PiB']];
const TIMES = [[1e-6, 'µs'], [1e-3, 'ms'], [1, 's'], [60, 'min'], [3600, 'h'], [86400, 'd']];
const sizeParts = bytes => (known(bytes) ? scaled(bytes, SIZES) : [NONE, '']);
const timeParts = seconds => (!known(seconds) ? [NONE, ''] : scaled(seconds, TIMES));
const joined = ([number, unit]) => (unit ? `${number}${GAP}${unit}` : number);
const size = bytes => joined(sizeParts(bytes));
const time = seconds => joined(timeParts(seconds));
const count = number => (!known(number) ? NONE : number >= 1e7 ? `${three(number / 1e6)}${GAP}M` : fixed(number, 0));
const rate = number => (!known(number) ? NONE : number === 0 ? '0' : number >= 1e5 ? `${three(number / 1e3)}${GAP}k` : number < 9.95 ? fixed(number, 1) : fixed(number, 0));
const share = part => (!known(part) ? NONE : part > 0 && part < 0.001 ? `<${GAP}0.1${GAP}%` : `${fixed(part * 100, part < 0.0995 && part > 0 ? 1 : 0)}${GAP}%`);
const some = (number, one, many) => `${count(number)}${GAP}${number === 1 ? one : many ?? `${one}s`}`;

const span = seconds => {
  const s = Math.max(0, Math.floor(seconds));
  const parts = [[Math.floor(s / 86400), 'd'], [Math.floor(s / 3600) % 24, 'h'], [Math.floor(s / 60) % 60, 'min'], [s % 60, 's']];
  const first = parts.findIndex(([n]) => n > 0);
  return first < 0 ? `0${GAP}s` : parts.slice(first, first + 2).map(([n, unit]) => `${n}${GAP}${unit}`).join(' ');
};
const clockFormat = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' });
const dateFormat = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium', hourCycle: 'h23' });
const clock = date => clockFormat.format(date);
const moment = value => {
  const date = new Date(known(value) ? value * 1000 : value);
  return Number.isNaN(date.getTime()) ? null : date;
};

// ---- The document ----

const make = (tag, attributes, ...children) => {
  const node = document.createElement(tag);
  for (const name in attributes) node.setAttribute(name, attributes[name]);
  node.append(...children);
  return node;
};
const draw = (tag, attributes, ...children) => {
  const node = document.createElementNS(SVG, tag);
  for (const name in attributes) node.setAttribute(name, attributes[name]);
  node.append(...children);
  return node;
};
const set = (node, text) => {
  text = String(text);
  const first = node.firstChild;
  if (first === null) node.append(text);
  else if (first.data !== text) first.data = text;
};
const put = (node, name, value) => {
  if (value === null || value === undefined) node.removeAttribute(name);
  else if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value);
};

// Let `parent` have one child for each item, in their order: `create` makes it, `update` fills it.
const keep = (parent, items, key, create, update) => {
  const nodes = (parent.weirNodes ??= new Map());
  const used = new Set();
  let place = parent.firstChild;
  items.forEach((item, index) => {
    let name = key(item, index);
    while (used.has(name)) name += '\u0000';
    used.add(name);
    let node = nodes.get(name);
    if (!node) nodes.set(name, (node = create(item)));
    if (node === place) place = place.nextSibling;
    else parent.insertBefore(node, place);
    update?.(node, item, index);
  });
  for (const [name, node] of nodes) {
    if (!used.has(name)) {
      nodes.delete(name);
      node.remove();
    }
  }
};

const fields = (list, pairs) =>
  keep(list, pairs, ([name]) => name, ([name]) => make('div', {}, make('dt', {}, name), make('dd')),
    (node, [, value]) => set(node.lastChild, value));

const gauge = label => make('div', { class: 'gauge', role: 'meter', 'aria-label': label, 'aria-valuemin': 0, 'aria-valuemax': 100 }, make('i'));
const level = (node, part, text) => {
  const percent = Math.round(Math.min(1, Math.max(0, part)) * 1000) / 10;
  node.firstChild.style.width = `${percent}%`;
  put(node, 'aria-valuenow', percent);
  put(node, 'aria-valuetext', text);
  put(node, 'data-state', part >= 0.95 ? 'bad' : part >= 0.8 ? 'warn' : null);
};

const SIGNS = { ok: 'M4 9.5l3.5 3.5L14 5.5', warn: 'M9 4.5v5.5M9 13.4v.1', bad: 'M5 5l8 8M13 5l-8 8', wait: 'M5 9h8' };
const SAID = { ok: 'Well: ', warn: 'Attention: ', bad: 'Trouble: ', wait: '' };

const sentence = text => text.charAt(0).toUpperCase() + text.slice(1);

// Words of a name as programs write it: keep_resident_bytes, 131072 -> "Keep resident", "128 KiB"
const plain = (name, value) => {
  const unit = /_(bytes|seconds|milliseconds|ms|percent)$/.exec(name)?.[1];
  const words = (unit ? name.slice(0, -unit.length - 1) : name).replace(/_/g, ' ');
  return [sentence(words), worth(value, unit)];
};
const worth = (value, unit) => {
  if (value === null) return 'no limit';
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (typeof value === 'object') return Object.entries(value).map(([k, v]) => `${k} ${worth(v)}`).join(', ');
  if (!known(value)) return String(value);
  if (unit === 'bytes') return size(value);
  if (unit === 'seconds') return value >= 1 ? lasting(value) : time(value);
  if (unit === 'milliseconds' || unit === 'ms') return value >= 1000 ? lasting(value / 1000) : time(value / 1000);
  if (unit === 'percent') return `${three(value)}${GAP}%`;
  return count(value);
};
const lasting = seconds => (seconds < 120 ? `${fixed(seconds, Number.isInteger(seconds) ? 0 : 1)}${GAP}s` : span(seconds));

// ---- Plots of the last two minutes ----

const plots = [];

// lines: [series, class]; the first one has an area below it. faults: a series drawn as bars.
const plot = (id, title, { lines = [], faults = null, show }) => {
  const big = make('p', { class: 'big num' }, make('span'), make('small'));
  const sub = make('p', { class: 'sub' });
  const peak = make('span', { class: 'peak num' });
  const area = draw('path', { class: 'area' });
  const bars = draw('path', { class: 'fault' });
  const drawn = lines.map(([, kind]) => draw('path', { class: kind ? `line ${kind}` : 'line' }));
  const cross = draw('line', { class: 'cross', y1: 0, y2: 40, visibility: 'hidden' });
  const picture = draw('svg', { viewBox: `0 0 ${SPAN - 1} 40`, preserveAspectRatio: 'none', role: 'img' },
    draw('line', { class: 'base', x1: 0, x2: SPAN - 1, y1: 40, y2: 40 }), area, ...drawn, bars, cross);
  const card = make('section', { class: 'card plot', id, 'aria-labelledby': `${id}-title` },
    make('h3', { id: `${id}-title` }, title), big, sub, picture,
    make('p', { class: 'axis' }, make('span', { class: 'from' }, '−2 min'), peak, make('span', {}, 'now')));
  picture.addEventListener('pointermove', event => {
    const box = picture.getBoundingClientRect();
    point(Math.round(((event.clientX - box.left) / box.width) * (SPAN - 1)) - (SPAN - 1));
  });
  picture.addEventListener('pointerleave', () => point(null));
  $('plots').append(card);
  const one = { id, title, lines, faults, show, big, sub, peak, area, bars, drawn, cross, picture, card };
  plots.push(one);
  return one;
};

// A path through the points that are known.
const through = (values, top, close) => {
  let path = '';
  let open = false;
  values.forEach((value, index) => {
    const x = index + SPAN - values.length;
    if (!known(value)) {
      if (open && close) path += `V40Z`;
      open = false;
      return;
    }
    const y = Math.round((38 - (value / top) * 36) * 100) / 100;
    path += open ? `L${x} ${y}` : close ? `M${x} 40V${y}` : `M${x} ${y}h.01`;
    open = true;
  });
  return open && close ? `${path}V40Z` : path;
};

const redraw = (one, view) => {
  const series = one.lines.map(([name]) => view.recent[name]);
  const top = Math.max(1e-9, ...series.flat().filter(known));
  one.drawn.forEach((path, index) => put(path, 'd', through(series[index], top, false)));
  put(one.area, 'd', through(series[0], top, true));
  if (one.faults) {
    const values = view.recent[one.faults];
    put(one.bars, 'd', values.map((value, index) =>
      value > 0 ? `M${index + SPAN - values.length - 0.4} 40v-${Math.max(1.5, Math.round((value / top) * 3600) / 100)}h.8V40z` : '').join(''));
  }
  put(one.cross, 'visibility', view.age === 0 ? 'hidden' : 'visible');
  put(one.cross, 'x1', SPAN - 1 + view.age);
  put(one.cross, 'x2', SPAN - 1 + view.age);
  const at = name => view.recent[name].at(view.age - 1);
  const { value, unit, sub, peak } = one.show(view, at, top);
  set(one.big.firstChild, value);
  set(one.big.lastChild, unit);
  keep(one.sub, sub, part => part.key, part => {
    const node = make('span', {}, ...(part.mark !== undefined ? [make('i', { class: `key ${part.mark}` })] : []), make('b'), make('span'));
    return node;
  }, (node, part) => {
    const [number, words] = [node.lastChild.previousSibling, node.lastChild];
    set(number, part.value);
    put(number, 'class', part.bad ? 'bad' : null);
    set(words, `${part.words} `);
  });
  set(one.peak, peak);
  put(one.picture, 'aria-label', `${one.title} in the last two minutes: ${peak}`);
};

let looked = null; // where the pointer is, in seconds before now
const age = () => (looked !== null ? Math.min(0, Math.max(1 - SPAN, looked)) : Number($('look').value));
const point = place => {
  looked = place;
  if (latest) showPlots(latest);
};

plot('requests', 'Requests', {
  lines: [['requests']],
  faults: 'errors',
  show: (view, at, top) => ({
    value: rate(view.age ? at('requests') : view.rate),
    unit: 'per second',
    sub: [
      { key: 'errors', mark: 'fault', value: view.age ? count(at('errors')) : share(view.failing), words: view.age ? ' failed' : ' failed in the last minute', bad: (view.age ? at('errors') : view.failing) > 0 },
      { key: 'total', value: count(view.totals.requests), words: ' since the start' },
    ],
    peak: `peak ${rate(top < 1e-6 ? 0 : top)}/s`,
  }),
});
plot('latency', 'Time to answer', {
  lines: [['p99', 'second'], ['p50']],
  show: (view, at, top) => {
    const [value, unit] = timeParts(view.age ? at('p50') : view.p50);
    return {
      value, unit,
      sub: [
        { key: 'p50', mark: '', value: '', words: 'half are faster' },
        { key: 'p99', mark: 'second', value: time(view.age ? at('p99') : view.p99), words: ': 99 % are faster' },
      ],
      peak: `peak ${top > 1e-8 ? time(top) : NONE}`,
    };
  },
});
plot('instances', 'Instances at work', {
  lines: [['live']],
  show: (view, at, top) => ({
    value: count(view.age ? at('live') : view.live),
    unit: known(view.slots) ? `of ${count(view.slots)}` : '',
    sub: [{ key: 'waiting', value: count(view.waiting), words: view.waiting === 1 ? ' request waits for one' : ' requests wait for one', bad: view.waiting > 0 }],
    peak: `peak ${count(top < 1e-6 ? 0 : top)}`,
  }),
});
// How much of the limit is resident; where the system tells neither, nothing is.
const shareOfLimit = ({ resident_bytes: resident, limit_bytes: limit }) => (known(resident) ? share(resident / limit) : NONE);
const memory = plot('memory', 'Resident memory', {
  lines: [['resident']],
  show: (view, at, top) => {
    const [value, unit] = sizeParts(view.age ? at('resident') : view.memory.resident_bytes);
    const limit = view.memory.limit_bytes;
    return {
      value, unit,
      sub: [
        known(limit) ? { key: 'limit', value: shareOfLimit(view.memory), words: ` of the limit, ${size(limit)}` } : { key: 'none', value: '', words: 'no limit is set' },
        { key: 'virtual', value: size(view.memory.virtual_bytes), words: ' reserved' },
      ],
      peak: `peak ${top > 1e-8 ? size(top) : NONE}`,
    };
  },
});
const memoryGauge = gauge('Resident memory of its limit');
memory.sub.before(memoryGauge);

const showPlots = view => {
  view.age = age();
  for (const one of plots) redraw(one, view);
  const at = new Date(view.at + view.age * 1000);
  const text = view.age === 0 ? 'now' : `${clock(at)}, ${-view.age}${GAP}s ago`;
  set($('moment'), text);
  put($('look'), 'aria-valuetext', text);
};

// ---- The pool ----

// How many slots one cell of the picture stands for, so that it has CELLS of them at most.
const perCell = slots => {
  for (let unit = 1; ; unit *= 10) {
    for (const step of [1, 2, 5]) if (slots <= unit * step * CELLS) return unit * step;
  }
};

// Cells from `from` to `to` (in cells, with fractions), each of them a square of 0.86 in a field of 1.
const cells = (from, to) => {
  let path = '';
  for (let cell = Math.floor(from); cell < to; cell++) {
    const left = Math.max(from - cell, 0);
    const right = Math.min(to - cell, 1);
    const width = Math.max((right - left) * 0.86, 0.14);
    const x = Math.round(((cell % ACROSS) + Math.min(left, 0.84) * 0.86) * 1000) / 1000;
    path += `M${x} ${Math.floor(cell / ACROSS)}h${Math.round(width * 1000) / 1000}v.86h-${Math.round(width * 1000) / 1000}z`;
  }
  return path;
};

const poolTitle = ({ engine, generation, current }) =>
  `${engine === 'apart' ? 'Components apart' : 'Main pool'}, generation ${count(generation)}${current ? '' : ': ends with its last request'}`;
const poolParts = { live: 'at work', warm: 'warm', free: 'free' };
const createPool = () => {
  const counts = make('p', { class: 'level num' });
  const picture = draw('svg', { role: 'img' }, ...['free', 'warm', 'live'].map(part => draw('path', { class: part })));
  return make('div', { class: 'pool' }, make('h3'), counts, picture, make('p', { class: 'scale' }));
};
const updatePool = (node, pool, index, view) => {
  const [title, counts, picture, scale] = node.children;
  const max = pool.max ?? 0;
  const free = Math.max(0, max - pool.live - pool.warm);
  set(title, pool.title);
  title.hidden = view.pools.length < 2;
  keep(counts, [
    ...Object.entries(poolParts).filter(([part]) => pool.pooled || part !== 'warm').map(([part, words]) => ({ part, words: ` ${words}`, value: { live: pool.live, warm: pool.warm, free }[part] })),
    { part: 'max', words: pool.pooled ? ' in all' : ' at most', value: max },
    { part: 'waiting', words: ' waiting', value: pool.waiting ?? 0 },
  ], part => part.part, ({ part }) => make('span', { 'data-part': part }, ...(part in poolParts ? [make('i', { class: `key ${part}` })] : []), make('b'), make('span')),
  (line, part) => {
    set(line.lastChild.previousSibling, count(part.value));
    set(line.lastChild, part.words);
  });
  const each = perCell(max);
  const all = Math.ceil(max / each);
  put(picture, 'viewBox', `0 0 ${ACROSS} ${Math.max(1, Math.ceil(all / ACROSS))}`);
  const [freePath, warmPath, livePath] = picture.children;
  put(freePath, 'd', cells(0, all));
  put(warmPath, 'd', pool.warm > 0 ? cells(pool.live / each, Math.min(all, (pool.live + pool.warm) / each)) : '');
  put(livePath, 'd', pool.live > 0 ? cells(0, Math.min(all, pool.live / each)) : '');
  put(picture, 'aria-label', `${count(pool.live)} at work, ${count(pool.warm)} warm, ${count(free)} free, of ${count(max)}`);
  put(scale, 'data-slots', each);
  set(scale, `${each === 1 ? 'A square is one slot' : `A square is ${count(each)} slots`}${pool.pooled ? '. A warm one keeps memory that its next instance need not ask for.' : ': there is no pool, each instance gets memory of its own.'}`);
};

// ---- Components ----

const CLASSES = ['2xx', '3xx', '4xx', '5xx'];
const columns = [
  ['id', 'Component'],
  ['now', 'Now', c => `${rate(c.now)}/s`, c => c.now],
  ['minute', '1 min', c => `${rate(c.minute)}/s`, c => c.minute],
  ['requests', 'Total', c => count(c.requests), c => c.requests],
  ['answers', 'Answers'],
  ['flight', 'In flight', c => count(c.flight), c => c.flight],
  ['waiting', 'Waiting', c => count(c.waiting), c => c.waiting],
  ['p50', '50 %', c => time(c.latency.p50), c => c.latency.p50],
  ['p90', '90 %', c => time(c.latency.p90), c => c.latency.p90],
  ['p99', '99 %', c => time(c.latency.p99), c => c.latency.p99],
  ['p999', '99.9 %', c => time(c.latency.p999), c => c.latency.p999],
  ['trouble', 'Trouble'],
  ['cpu', 'CPU', c => time(c.cpu), c => c.cpu],
];
const said = {
  p50: 'half of the answers were faster', p90: '90 % of the answers were faster', p99: '99 % of the answers were faster',
  p999: '99.9 % of the answers were faster', now: 'requests in the last second', minute: 'average of the last minute',
};
for (const [name, title] of columns) {
  $('components-head').append(make('th', { scope: 'col', role: 'columnheader', class: name, ...(said[name] ? { title: said[name] } : {}) }, title));
}
const troubles = { traps: ['trap', 'traps'], timeouts: ['time-out', 'time-outs'], refused: ['refused', 'refused'], failures: ['failure', 'failures'] };

const createComponent = () => make('tr', { role: 'row' }, ...columns.map(([name, title]) => {
  if (name === 'id') return make('th', { scope: 'row', role: 'rowheader' });
  const cell = make('td', { role: 'cell', class: name, 'data-label': title });
  if (name === 'answers') {
    cell.append(make('div', { class: 'split', 'aria-hidden': 'true' }, ...CLASSES.map(c => make('i', { class: `s${c[0]}` }))), make('p', { class: 'classes' }));
  }
  return cell;
}));
const updateComponent = (row, component) => {
  columns.forEach(([name, , text, value], index) => {
    const cell = row.children[index];
    if (name === 'id') set(cell, component.id);
    else if (name === 'answers') updateAnswers(cell, component);
    else if (name === 'trouble') {
      const parts = Object.keys(troubles).filter(kind => component[kind] > 0).map(kind => some(component[kind], ...troubles[kind]));
      set(cell, parts.length ? parts.join(', ') : 'none');
      put(cell, 'class', `trouble ${parts.length ? (component.state === 'bad' ? 'bad' : 'warn') : 'zero'}`);
    } else {
      set(cell, text(component));
      put(cell, 'class', value(component) ? name : `${name} zero`);
    }
  });
  put(row, 'data-state', component.state);
};
const updateAnswers = (cell, component) => {
  const [bar, words] = cell.children;
  const sums = CLASSES.map(c => component.classes[c] ?? 0);
  const total = sums.reduce((a, b) => a + b, 0);
  sums.forEach((sum, index) => {
    bar.children[index].style.flexBasis = total > 0 && sum > 0 ? `max(2px, ${(sum / total) * 100}%)` : '0';
  });
  keep(words, CLASSES.map((c, index) => [c, sums[index]]).filter(([, sum]) => sum > 0), ([c]) => c,
    ([c]) => make('span', {}, `${c} `, make('b')), (node, [, sum]) => set(node.lastChild, count(sum)));
};
const orders = {
  busy: c => c.minute ?? 0, slow: c => c.latency.p99 ?? 0, cpu: c => c.cpu ?? 0,
  fail: c => (c.classes['5xx'] ?? 0) + Object.keys(troubles).reduce((sum, kind) => sum + (c[kind] ?? 0), 0),
};

// ---- Is it well? ----

const past = []; // what had been counted, second by second, so that the last minute can be told from all before
const remember = view => {
  if (past.length > 0 && past.at(-1).started !== view.started) past.length = 0;
  past.push({ at: view.at, started: view.started, counts: new Map(view.components.map(c => [c.id, Object.keys(troubles).map(kind => c[kind])])) });
  while (past.length > 1 && view.at - past[0].at > 60000) past.shift();
};
const lately = component => {
  const before = past[0].counts.get(component.id);
  return Object.fromEntries(Object.keys(troubles).map((kind, index) => [kind, Math.max(0, component[kind] - (before ? before[index] : 0))]));
};

const worst = states => ['bad', 'warn', 'ok'].find(state => states.includes(state)) ?? 'ok';

const judge = view => {
  const checks = [];
  const check = (id, title, target, state, text) => checks.push({ id, title, target, state, text });
  const asked = view.recentSum('requests');
  const failed = view.recentSum('errors');
  if (asked === 0) check('requests', 'Requests', '#requests', 'ok', 'None in the last minute.');
  else if (failed === 0) check('requests', 'Requests', '#requests', 'ok', `All ${count(asked)} of the last minute went well.`);
  else check('requests', 'Requests', '#requests', failed / asked >= 0.05 ? 'bad' : 'warn', `${count(failed)} of ${count(asked)} failed in the last minute.`);

  const served = view.components.filter(c => c.requests > 0 && known(c.latency.p99));
  const slow = served.reduce((a, b) => (a && a.latency.p99 >= b.latency.p99 ? a : b), null);
  const late = view.components.filter(c => c.lately.timeouts > 0);
  if (late.length) check('speed', 'Speed', '#components', 'warn', `${late[0].id}: ${some(late[0].lately.timeouts, 'time-out')} in the last minute.`);
  else if (view.loops.length && view.loops.every(loop => loop.busy_fraction >= 0.95)) check('speed', 'Speed', '#loops-title', 'warn', 'All event loops are busy all the time.');
  else if (slow) check('speed', 'Speed', '#components', 'ok', `Slowest is ${slow.id}: 99 % within ${time(slow.latency.p99)}.`);
  else check('speed', 'Speed', '#components', 'ok', 'Nothing to tell yet.');

  const turned = view.components.reduce((sum, c) => sum + c.lately.refused, 0);
  if (turned > 0) check('queue', 'Admission', '#allocator', 'bad', `${some(turned, 'request was', 'requests were')} refused in the last minute.`);
  else if (view.waiting > 0) check('queue', 'Admission', '#allocator', 'warn', `${some(view.waiting, 'request waits', 'requests wait')} for an instance.`);
  else check('queue', 'Admission', '#allocator', 'ok', 'Nobody waits for an instance.');

  const trapping = view.components.filter(c => c.lately.traps > 0);
  const before = view.components.reduce((sum, c) => sum + c.traps, 0);
  if (trapping.length) check('guests', 'Guests', '#components', 'warn', trapping.length === 1 ? `${trapping[0].id}: ${some(trapping[0].lately.traps, 'trap')} in the last minute.` : `${trapping.length} components trapped in the last minute.`);
  else check('guests', 'Guests', '#components', 'ok', before > 0 ? `No trap in the last minute; ${count(before)} before.` : 'No trap since the start.');

  const { resident_bytes: resident, limit_bytes: limit } = view.memory;
  if (!known(resident)) check('memory', 'Memory', '#memory', 'wait', 'How much is resident cannot be read: there is no /proc.');
  else if (known(limit) && limit > 0) check('memory', 'Memory', '#memory', resident / limit >= 0.95 ? 'bad' : resident / limit >= 0.8 ? 'warn' : 'ok', `${size(resident)} of ${size(limit)}, ${share(resident / limit)}.`);
  else check('memory', 'Memory', '#memory', 'ok', `${size(resident)}; no limit is set.`);

  const change = view.history.at(-1);
  if (change) check('allocator', 'Allocator', '#history-title', view.at - change.time < 600000 ? 'warn' : 'ok', `Changed at ${change.time ? clock(change.time) : 'some time'}: now ${change.to}.`);
  else check('allocator', 'Allocator', '#allocator', 'ok', view.reduced ? 'As chosen at the start, less than wanted.' : 'As chosen at the start.');

  const { reload } = view;
  if (reload?.result === 'refused') check('reload', 'Last reload', '#about-title', 'bad', `Refused at ${reload.time ? clock(reload.time) : 'some time'}: ${reload.error ?? 'the log says why'}`);
  else check('reload', 'Last reload', '#about-title', 'ok', reload ? `Done at ${reload.time ? clock(reload.time) : 'some time'}.` : 'None since the start.');
  return checks;
};

const showHealth = view => {
  const checks = judge(view);
  const state = view.draining ? 'warn' : worst(checks.map(c => c.state));
  keep($('checks'), checks, c => c.id, c => make('li', {}, draw('svg', { viewBox: '0 0 18 18', 'aria-hidden': 'true' }, draw('path', {})),
    make('a', { href: c.target }, c.title), make('p', {}, make('span', { class: 'hide' }), make('span'))),
  (line, c) => {
    const [sign, link, text] = line.children;
    put(line, 'data-state', c.state);
    put(sign.firstChild, 'd', SIGNS[c.state]);
    put(link, 'href', c.target);
    set(text.firstChild, SAID[c.state]);
    set(text.lastChild, c.text);
  });
  const troubled = checks.filter(c => c.state !== 'ok').length;
  const verdict = view.draining ? 'Draining: it ends when all is answered' : state === 'ok' ? 'All is well' : troubled === 1 ? 'One thing needs attention' : `${troubled} things need attention`;
  set($('verdict'), verdict);
  put(document.querySelector('.health'), 'data-state', state);
  return [state, verdict];
};

// ---- Everything ----

const showAllocator = view => {
  set($('tier'), view.mode);
  keep($('reasons'), view.reasons, text => text, () => make('li'), (line, text) => set(line, text));
  const [first, ...others] = view.notice;
  const [headline, more] = $('notice').children;
  $('notice').hidden = !first;
  set(headline, first ?? '');
  more.hidden = others.length === 0;
  keep(more.lastChild, others, text => text, () => make('p'), (line, text) => set(line, text));
  fields($('rung'), view.rung);
  keep($('history'), [...view.history].reverse(), change => `${change.at} ${change.from} ${change.to}`,
    () => make('li', {}, make('time', { class: 'num' }), make('div', {}, make('span'), make('p'))),
    (line, change) => {
      const [when, what] = line.children;
      set(when, change.time ? clock(change.time) : NONE);
      if (change.time) {
        put(when, 'datetime', change.time.toISOString());
        put(when, 'title', dateFormat.format(change.time));
      }
      set(what.firstChild, change.from ? `${change.from} → ${change.to}` : change.to);
      set(what.lastChild, change.cause);
    });
  $('history-empty').hidden = view.history.length > 0;
};

const showComponents = view => {
  const order = orders[$('order').value];
  const list = order ? [...view.components].sort((a, b) => order(b) - order(a)) : view.components;
  keep($('components'), list, c => c.id, createComponent, updateComponent);
  $('components-empty').hidden = list.length > 0;
};

const showRest = view => {
  keep($('pools'), view.pools, pool => pool.key, createPool, (node, pool, index) => updatePool(node, pool, index, view));
  keep($('routes'), view.routes, route => `${route.route} ${route.component}`,
    () => make('tr', {}, make('td', {}, make('code'), make('span', { class: 'tag' })), make('td')),
    (row, route) => {
      set(row.firstChild.firstChild, route.route);
      set(row.firstChild.lastChild, route.kind);
      row.firstChild.lastChild.hidden = route.kind === 'http';
      set(row.lastChild, route.component ?? 'weir itself');
    });
  const scroll = $('routes-scroll');
  put(scroll, 'tabindex', scroll.scrollHeight > scroll.clientHeight + 1 ? 0 : null);
  keep($('loops'), view.loops, (loop, index) => String(index),
    loop => make('tr', {}, make('th', { scope: 'row' }), make('td', {}, make('div', { class: 'bar' }, gauge('Busy'), make('span'))), make('td', { class: 'r' }), make('td', { class: 'r' }), make('td', { class: 'r' })),
    (row, loop, index) => {
      const [name, busy, ...numbers] = row.children;
      set(name, index + 1);
      const text = share(loop.busy_fraction);
      level(busy.firstChild.firstChild, loop.busy_fraction ?? 0, text);
      set(busy.firstChild.lastChild, text);
      [loop.connections, loop.requests, loop.waiting].forEach((number, place) => set(numbers[place], count(number)));
    });
  fields($('limits'), view.limits);
  fields($('about'), view.about);
  const { resident_bytes: resident, limit_bytes: limit } = view.memory;
  memoryGauge.hidden = !known(limit) || !known(resident);
  if (!memoryGauge.hidden) level(memoryGauge, resident / limit, share(resident / limit));
};

let latest = null;
let announced = '';

const show = view => {
  remember(view);
  for (const component of view.components) {
    component.lately = lately(component);
    component.state = component.lately.traps || component.lately.timeouts || component.lately.refused || component.lately.failures ? 'bad' : null;
  }
  latest = view;
  set($('name'), view.name);
  put($('name'), 'title', view.name);
  set($('tagline'), view.tagline);
  put($('tagline'), 'title', view.tagline);
  showAllocator(view);
  const [state, verdict] = showHealth(view);
  showPlots(view);
  showComponents(view);
  showRest(view);
  link('live', state);
  announce(view.draining ? 'weir is draining.' : `${verdict}.`);
};

// ---- What came, as the functions above want it ----

const confinement = sandbox => [
  sandbox.seccomp && 'seccomp', sandbox.landlock_version > 0 && `Landlock ${sandbox.landlock_version}`, sandbox.no_new_privs && 'no_new_privs',
].filter(Boolean).join(', ') || 'nothing';

const read = json => {
  const { weir, application, allocator, recent } = json;
  const list = value => (Array.isArray(value) ? value : []);
  const view = { at: Date.now(), started: weir.started_at };
  view.draining = weir.state === 'draining';
  view.name = application.name || 'weir';
  view.tagline = application.description || [application.version && `version ${application.version}`, 'served by weir'].filter(Boolean).join(', ');
  // "allocator: standard pool, 1000 slots of 4 GiB (measured: 14.5 us per instance; chosen by trial in 205 ms)"
  const [, mode, more] = /^(?:allocator: )?(.*?)(?: \((.*)\))?$/s.exec(allocator.summary ?? '');
  view.mode = sentence(mode) || 'Not chosen yet';
  view.reasons = [...list(allocator.reasons), ...(more?.split('; ') ?? [])].map(sentence);
  view.reduced = allocator.reduced;
  view.notice = (allocator.notice ?? '').split('\n').filter(Boolean);
  view.history = list(allocator.history).map(change => ({ ...change, time: moment(change.at) }));
  view.reload = json.last_reload && { ...json.last_reload, time: moment(json.last_reload.time) };
  view.rung = Object.entries(allocator.rung ?? {}).map(([name, value]) => plain(name, value));
  view.rung.push(...Object.entries(allocator.apart ?? {}).map(([name, value]) => plain(`components apart: ${name}`, value)));
  view.limits = Object.entries(json.limits ?? {}).map(([name, value]) => plain(name, value));
  for (const { id, limits } of list(json.components)) {
    const own = Object.entries(limits ?? {}).filter(([name, value]) => value !== json.limits?.[name]);
    view.limits.push(...own.map(([name, value]) => plain(name, value)).map(([words, text]) => [`${id}: ${words.toLowerCase()}`, text]));
  }
  view.pools = list(allocator.pool).map(pool => ({ ...pool, key: `${pool.engine} ${pool.generation}`, title: poolTitle(pool) }));
  const sum = name => view.pools.reduce((total, pool) => total + (pool[name] ?? 0), 0);
  view.live = sum('live');
  view.slots = sum('max');
  view.waiting = sum('waiting');
  view.memory = json.memory;
  view.loops = list(json.loops);
  view.routes = list(json.routes);
  view.components = list(json.components).map(c => {
    const classes = {};
    for (const [status, number] of Object.entries(c.statuses ?? {})) classes[`${status[0]}xx`] = (classes[`${status[0]}xx`] ?? 0) + number;
    return {
      id: c.id, now: c.rate_per_second?.last_second, minute: c.rate_per_second?.last_minute, requests: c.requests, classes, flight: c.in_flight, waiting: c.waiting,
      latency: c.latency_seconds ?? {}, traps: c.traps ?? 0, timeouts: c.timeouts ?? 0, refused: c.refused ?? 0, failures: c.outcomes?.failed ?? 0, cpu: c.cpu_seconds,
    };
  });
  view.totals = json.totals ?? {};
  view.recent = {
    requests: list(recent?.requests), errors: list(recent?.errors), p50: list(recent?.p50_seconds), p99: list(recent?.p99_seconds),
    live: list(recent?.live_instances), resident: list(recent?.resident_bytes),
  };
  view.recentSum = name => view.recent[name].slice(-60).reduce((total, value) => total + (value ?? 0), 0);
  view.rate = view.totals.rate_per_second?.last_second ?? 0;
  const asked = view.recentSum('requests');
  view.failing = asked > 0 ? view.recentSum('errors') / asked : 0;
  view.p50 = view.recent.p50.slice(-60).findLast(known); // of the last second that had any
  view.p99 = view.recent.p99.slice(-60).findLast(known);
  const started = moment(weir.started_at);
  view.about = [
    ['Listens on', list(json.listen).join(', ')], ['Manifest', application.manifest ?? NONE],
    ['Application', [application.name, application.version].filter(Boolean).join(' ') || NONE], ['Generation', count(application.generation)],
    ['Started', started ? dateFormat.format(started) : NONE], ['Up for', span(weir.uptime_seconds)],
    ['Version', `weir ${weir.version}`], ['Process', weir.pid],
    ['Confined by', confinement(json.sandbox ?? {})],
  ];
  return view;
};

// ---- Asking ----

let timer = 0;
let asking = null; // ends the question that is under way
let paused = false;
let heard = null; // when there was an answer

const announce = text => {
  if (text === announced) return;
  announced = text;
  set($('announce'), text);
};

const COLOURS = { ok: '%2317713f', warn: '%23b86e00', bad: '%23c0281f', wait: '%236b7c8a' };
const link = (state, health) => {
  const shown = state === 'live' ? health : state === 'lost' ? 'bad' : 'wait';
  put(document.body, 'data-link', state);
  put($('pill'), 'data-state', state === 'live' ? (latest.draining ? 'warn' : 'ok') : shown);
  set($('pill'), state === 'live' ? (latest.draining ? 'Draining' : 'Serving') : state === 'lost' ? 'No connection' : state === 'paused' ? 'Paused' : 'Loading');
  set($('fresh'), heard === null ? '' : state === 'live' ? `updated ${clock(heard)}` : `as of ${clock(heard)}${state === 'lost' ? ', retrying' : ''}`);
  put($('icon'), 'href', `data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Crect width='16' height='16' rx='4' fill='${COLOURS[shown]}'/%3E%3Cpath d='M3 6q2.5-2 5 0t5 0M3 10q2.5-2 5 0t5 0' fill='none' stroke='white' stroke-width='1.6'/%3E%3C/svg%3E`);
  const title = `${state === 'lost' ? 'No connection: ' : shown === 'warn' || shown === 'bad' ? '! ' : ''}${latest ? latest.name : 'weir'} – weir`;
  if (document.title !== title) document.title = title;
};

const request = async () => {
  asking = new AbortController();
  const patience = setTimeout(() => asking.abort(), PATIENCE);
  try {
    const answer = await fetch('status.json', { signal: asking.signal, cache: 'no-store', credentials: 'same-origin' });
    return answer.ok ? await answer.json() : null;
  } catch {
    return null; // the browser itself says why
  } finally {
    clearTimeout(patience);
    asking = null;
  }
};

const ask = async () => {
  clearTimeout(timer);
  if (paused || document.hidden || asking) return;
  const json = await request();
  if (paused || document.hidden) return;
  timer = setTimeout(ask, json ? PERIOD : RETRY);
  if (json) {
    heard = new Date();
    show(read(json));
    $('loading').hidden = true;
    $('main').hidden = false;
  } else {
    link('lost');
    announce('There is no connection to weir. What is shown is old.');
    set($('loading'), 'weir does not answer. This page asks again every two seconds.');
  }
};

document.addEventListener('visibilitychange', () => (document.hidden ? clearTimeout(timer) : ask()));
addEventListener('online', ask);
$('pause').addEventListener('click', () => {
  paused = !paused;
  put($('pause'), 'aria-pressed', paused);
  if (paused) {
    clearTimeout(timer);
    link('paused');
  } else ask();
});
$('look').addEventListener('input', () => latest && showPlots(latest));
$('order').addEventListener('change', () => latest && showComponents(latest));

$('pause').hidden = false;
$('loading').hidden = false;
link('wait');
ask();
