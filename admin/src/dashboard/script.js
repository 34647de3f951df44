'use strict';

const STATUS_EVERY_MS = 1000;
const SAMPLES = 120;
const EVENTS_SHOWN = 100;

const at = id => document.getElementById(id);

// All text from the node goes through here, as text.
function element(tag, classes, ...children) {
  const node = document.createElement(tag);
  node.className = classes;
  node.append(...children);
  return node;
}

function pill(text, kind) {
  return element('span', 'pill ' + kind, text);
}

function ago(unixMs) {
  const seconds = Math.max(0, Math.round((Date.now() - unixMs) / 1000));
  if (seconds < 60) return seconds + ' s';
  if (seconds < 3600) return Math.floor(seconds / 60) + ' min';
  if (seconds < 86400) return Math.floor(seconds / 3600) + ' h ' + Math.floor(seconds % 3600 / 60) + ' min';
  return Math.floor(seconds / 86400) + ' d ' + Math.floor(seconds % 86400 / 3600) + ' h';
}

function time(tag, unixMs, text) {
  const node = element(tag, 'time', text);
  node.title = new Date(unixMs).toLocaleString();
  return node;
}

function facts(pairs) {
  return pairs.flatMap(([name, value]) => [element('dt', '', name), element('dd', '', value)]);
}

function count(number) {
  return number.toLocaleString('en').replaceAll(',', '\u202f');
}

const STATES = { MASTER: 'good', BACKUP: 'wait', FAULT: 'bad', STOP: '' };

function router(status) {
  const name = element('h3', '', element('span', '', status.name), pill(status.state, STATES[status.state] ?? ''));
  const heard = status.master ? status.master[0] + ', priority ' + status.master[1] : 'none yet';
  const discarded = status.discarded.map(([reason, times]) => reason + ' ' + count(times)).join(', ');
  const changed = status.priority !== status.base_priority;
  const priority = status.priority + (changed ? ', ' + status.base_priority + ' configured' : '');
  const rows = [
    ['Priority', priority],
    ['Since', ago(status.since_unix_ms)],
    ['Because', status.cause || '–'],
    ['Master heard', heard],
    ['Adverts', count(status.adverts_sent) + ' sent, ' + count(status.adverts_received) + ' heard'],
    ['Interface', status.interface + ', VRID ' + status.vrid],
  ];
  if (status.contested) rows.push(['Contested', count(status.contested) + ' claims of others']);
  if (discarded) rows.push(['Discarded', discarded]);
  return element('div', 'router ' + status.state, name,
    element('p', 'addresses', status.addresses.join(', ')),
    element('dl', '', ...facts(rows)));
}

function server(status) {
  return element('tr', '',
    element('td', '', status.upstream + ' / ' + status.address),
    element('td', '', status.up ? pill('up', 'good') : pill('down', 'bad')),
    element('td', '', status.reason),
    time('td', status.since_unix_ms, ago(status.since_unix_ms)));
}

function process(status) {
  const state = status.pid === null ? pill('restarting', 'bad')
    : status.in_service ? pill('in service', 'good') : pill('starting', 'warn');
  return element('tr', '',
    element('td', '', status.role === 'proxy' ? 'proxy ' + status.slot : status.role),
    element('td', '', state),
    element('td', 'number', status.pid === null ? '–' : String(status.pid)),
    element('td', 'number', String(status.restarts)),
    time('td', status.since_unix_ms, ago(status.since_unix_ms)));
}

function fill(id, rows, nothing) {
  const parent = at(id);
  if (rows.length > 0) return parent.replaceChildren(...rows);
  if (parent.tagName !== 'TBODY') return parent.replaceChildren(element('p', 'empty', nothing));
  const cell = element('td', 'empty', nothing);
  cell.colSpan = 5;
  parent.replaceChildren(element('tr', '', cell));
}

// Requests per second, from the differences of a counter.
const rates = [];
let before = null;

function sample(requests) {
  const now = performance.now();
  if (before && requests >= before.requests) {
    rates.push((requests - before.requests) * 1000 / (now - before.now));
    if (rates.length > SAMPLES) rates.shift();
  }
  before = { requests, now };
  if (rates.length === 0) return;
  const peak = Math.max(...rates);
  const last = rates[rates.length - 1];
  at('rate').textContent = last < 10 ? last.toFixed(1) : count(Math.round(last));
  at('peak').textContent = 'peak ' + count(Math.round(peak));
  const x = index => (240 - (rates.length - 1 - index) * 240 / (SAMPLES - 1)).toFixed(1);
  const y = rate => (58 - rate / Math.max(peak, 1) * 54).toFixed(1);
  const line = rates.map((rate, index) => x(index) + ',' + y(rate)).join(' ');
  document.querySelector('#graph polyline').setAttribute('points', line);
  document.querySelector('#graph polygon').setAttribute('points', x(0) + ',60 ' + line + ' 240,60');
}

let shown = null;

function show(status) {
  shown = Date.now();
  document.body.classList.remove('stale');
  const masters = status.routers.filter(one => one.state === 'MASTER').length;
  document.title = status.node + (masters ? ' MASTER' : '') + ' · Evenkeel';
  at('node').textContent = status.node;
  at('facts').textContent = status.cluster + ' · Evenkeel ' + status.version + ' · up ' + ago(status.started_unix_ms)
    + ' · configuration ' + status.generation;
  at('proxy').textContent = status.proxy_well ? 'proxy serves' : 'proxy ill';
  at('proxy').className = 'pill ' + (status.proxy_well ? 'good' : 'bad');
  at('live').textContent = 'live';
  at('live').className = 'pill good';
  fill('routers', status.routers.map(router), 'No virtual router is configured.');
  fill('servers', status.servers.map(server), 'No back end is configured.');
  fill('processes', status.processes.map(process), 'No process runs.');
  sample(status.traffic.requests);
  at('counts').replaceChildren(...facts([
    ['Requests', count(status.traffic.requests)],
    ['Connections', count(status.traffic.active) + ' open: ' + count(status.traffic.reading) + ' reading, '
      + count(status.traffic.writing) + ' writing, ' + count(status.traffic.waiting) + ' waiting'],
    ['Accepted', count(status.traffic.accepted)],
  ]));
}

function showSilence() {
  document.body.classList.add('stale');
  at('live').textContent = shown ? 'no answer for ' + ago(shown) : 'no answer';
  at('live').className = 'pill bad';
}

async function refresh() {
  if (!document.hidden) {
    try {
      const response = await fetch('/api/v1/status', { cache: 'no-store', signal: AbortSignal.timeout(3000) });
      if (!response.ok) throw new Error(response.status);
      show(await response.json());
    } catch {
      showSilence();
    }
  } else {
    before = null;
  }
  setTimeout(refresh, STATUS_EVERY_MS);
}

const PHRASES = {
  transition: what => what.router + ' ' + what.from + ' → ' + what.to + ', priority ' + what.priority + ': ' + what.cause,
  process_died: what => what.role + ' ' + what.slot + ' ended: ' + what.how,
  process_hung: what => what.role + ' ' + what.slot + ' was silent for ' + what.silent_ms + ' ms and killed',
  proxy_ill: () => 'the proxy no longer serves',
  proxy_well: () => 'the proxy serves',
  server_down: what => what.upstream + ' / ' + what.address + ' is down: ' + what.reason,
  server_up: what => what.upstream + ' / ' + what.address + ' is up',
  script_changed: what => 'script ' + what.script + ' is ' + (what.up ? 'well' : 'ill') + ': ' + what.reason,
  started: what => 'Evenkeel ' + what.version + ' started',
  stopping: () => 'stopping',
  reloaded: what => 'configuration ' + what.generation + ' is in force' + (what.changes.length ? ': ' + what.changes.join(', ') : ''),
  reload_refused: what => 'a new configuration was refused: ' + what.errors.join(' · '),
  events_lost: what => what.count + ' events were lost',
  test: () => 'a test message was asked for',
};
const SEVERITIES = { info: '', warning: 'warn', error: 'bad', critical: 'bad' };

let lastSeq = 0;

function add(entry) {
  lastSeq = Math.max(lastSeq, entry.seq);
  const phrase = PHRASES[entry.event];
  const text = phrase ? phrase(entry) : entry.event;
  const clock = new Date(entry.at_unix_ms).toLocaleTimeString('en-GB');
  const list = at('events');
  if (list.firstElementChild?.classList.contains('empty')) list.replaceChildren();
  list.prepend(element('li', '', time('span', entry.at_unix_ms, clock),
    pill(entry.severity, SEVERITIES[entry.severity] ?? ''), element('span', 'what', text)));
  while (list.children.length > EVENTS_SHOWN) list.lastElementChild.remove();
}

// A browser takes a lost stream up again by itself, unless it was refused.
function follow() {
  const source = new EventSource('/api/v1/events?stream=1&after=' + lastSeq);
  source.onmessage = message => add(JSON.parse(message.data));
  source.onerror = () => {
    if (source.readyState === EventSource.CLOSED) setTimeout(follow, 3000);
  };
}

at('events').replaceChildren(element('li', 'empty', 'Nothing has happened yet.'));
refresh();
follow();
