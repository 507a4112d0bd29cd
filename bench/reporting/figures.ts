/** The tables that README.md and docs/performance.md have between `<!-- bench:name -->` and `<!-- /bench -->`. */
import { environmentLines } from '../harness/environment.ts';
import { inUnit, type Measured } from '../harness/section.ts';
import { prettyMarkdown, table } from './markdown.ts';
import { figuresOf, type Results, type SavedSection } from './results.ts';

/** Which files have such tables. */
export const FILES = ['README.md', 'README.zh-CN.md', 'docs/performance.md'];

/** Figures by their ids, such as `queue/int/our-queue`; of several, the smallest to the largest. Or words. */
type Cell = { readonly of: readonly string[] } | { readonly words: string };

const of = (...ids: readonly string[]): Cell => ({ of: ids });
const say = (words: string): Cell => ({ words });

type Row = readonly [label: string, ...cells: Cell[]];

/** As far as they were measured, contenders by sections. */
function matrix(results: Results, columns: Readonly<Record<string, string>>, contenders?: readonly string[]): string {
  const sections = Object.keys(columns)
    .map((id) => results.sections.find((section) => section.id === id))
    .filter((section): section is SavedSection => section !== undefined);
  const labels = new Map(sections.flatMap(({ measured = [] }) => measured.map(({ id, label }) => [id, label])));
  const ids = (contenders ?? [...labels.keys()]).filter((id) => labels.has(id));
  const rows = ids.map((id): Row => [labels.get(id) ?? id, ...sections.map((section) => of(`${section.id}/${id}`))]);
  if (rows.length === 0) return 'Not measured.';
  return figures(results, ['', ...sections.map(({ id }) => columns[id] ?? id)], rows);
}

function figures(results: Results, head: readonly string[], rows: readonly Row[], kind?: 'words'): string {
  const isBest = bestOf(rows, results);
  return table(
    head,
    rows.map(([label, ...cells]) => [label, ...cells.map((cell) => cellText(cell, results, isBest))]),
    kind,
  );
}

function cellText(cell: Cell, results: Results, isBest: (id: string) => boolean): string {
  if ('words' in cell) return cell.words;
  const found = cell.of
    .map((id) => ({ id, ...valueOf(id, results) }))
    .filter(({ value }) => Number.isFinite(value))
    .toSorted((a, b) => a.value - b.value);
  const [first, last] = [found[0], found.at(-1)];
  if (first === undefined || last === undefined) return '–';
  const [low, high] = [inUnit(first.value, first.unit), inUnit(last.value, last.unit)];
  const text = low === high ? low : `${sharesUnit(low, high) ? low.split(' ')[0] : low} to ${high}`;
  return found.some(({ id }) => isBest(id)) ? `**${text}**` : text;
}

const sharesUnit = (low: string, high: string): boolean => low.split(' ')[1] === high.split(' ')[1];

function valueOf(
  id: string,
  results: Results,
): { readonly value: number; readonly unit: NonNullable<SavedSection['unit']> } {
  const section = results.sections.find((section) => id.startsWith(`${section.id}/`));
  return { value: figuresOf(results, id)?.median ?? Number.NaN, unit: section?.unit ?? 'ns' };
}

/** The best of the contenders that are told of each section, but for C, which is the floor. */
function bestOf(rows: readonly Row[], results: Results): (id: string) => boolean {
  const best = new Map<string, { readonly id: string; readonly value: number }>();
  for (const id of rows.flatMap(([, ...cells]) => (cells as Cell[]).flatMap((cell) => ('of' in cell ? cell.of : [])))) {
    const { value, unit } = valueOf(id, results);
    const cost = unit === 'times' ? -value : value;
    const section = id.slice(0, id.lastIndexOf('/'));
    if (id.endsWith('/c') || !Number.isFinite(value)) continue;
    if (cost < (best.get(section)?.value ?? Number.POSITIVE_INFINITY)) best.set(section, { id, value: cost });
  }
  const ids = new Set([...best.values()].map(({ id }) => id));
  return (id) => ids.has(id);
}

/** What is told of as slower, if it takes so many times as long. */
const NOTICEABLE = 1.05;

/** Start methods are compared each with its own kind; otherwise it is the best of each side. */
const startPairs: Readonly<Record<string, string>> = {
  process: 'python-process',
  fork: 'python-fork',
  forkserver: 'python-forkserver',
  spawn: 'python-spawn',
};

function whereOthersAreFaster({ sections }: Results): string {
  const rows = sections.flatMap(({ id, title, unit = 'ns', measured = [] }) => {
    const cost = ({ median }: Measured): number => (unit === 'times' ? 1 / median : median);
    const best = (some: readonly Measured[]): Measured | undefined => some.toSorted((a, b) => cost(a) - cost(b))[0];
    const byId = (name: string): Measured | undefined => measured.find(({ id }) => id === name);
    const pairs = id.startsWith('start/')
      ? Object.entries(startPairs).map(([ours, other]) => [byId(ours), byId(other)] as const)
      : [
          [
            best(measured.filter(({ ours }) => ours)),
            best(measured.filter(({ id, ours }) => !ours && id !== 'c')),
          ] as const,
        ];
    return pairs.flatMap(([ours, other]) => {
      if (ours === undefined || other === undefined || cost(ours) / cost(other) < NOTICEABLE) return [];
      const side = ({ label, median }: Measured): string => `${label}: ${inUnit(median, unit)}`;
      return [[title, side(other), side(ours), (cost(ours) / cost(other)).toFixed(2)]];
    });
  });
  return rows.length === 0 ? 'None.' : table(['', 'the other', 'here', 'ratio'], rows);
}

const none = say('–');
const queues = (section: string, ...ids: string[]): Cell => of(...ids.map((id) => `${section}/${id}`));
const PYTHON_QUEUES = ['python-queue', 'python-simplequeue', 'python-pipe'];
const THREADS = ['worker_threads', 'worker_threads-blocking'];
const IPC = ['ipc-json', 'ipc-advanced'];

const comparisonHead = ['median', '`child_process.fork`', '`worker_threads`', 'Python `multiprocessing`', 'here'];

const comparison: readonly Row[] = [
  ['what runs', say('a file'), say('a file'), say('any function'), say('any function, sync or async')],
  [
    'start + join of nothing',
    of('start/small/child-process-fork'),
    of('start/small/worker-threads'),
    of('start/small/python-process'),
    of('start/small/process'),
  ],
  [
    'take and give back a free lock',
    none,
    of('lock/lock/worker_threads'),
    of('lock/lock/python'),
    of('lock/lock/ours'),
  ],
  [
    'count under a lock that two want, each time',
    none,
    of('lock/contended-2/worker_threads'),
    of('lock/contended-2/python'),
    of('lock/contended-2/ours'),
  ],
  [
    'signal to the other side and back',
    none,
    of('lock/handover/worker_threads'),
    of('lock/handover/python'),
    of('lock/handover/ours'),
  ],
  [
    'a small message through a queue',
    queues('queue/int', ...IPC),
    queues('queue/int', ...THREADS),
    queues('queue/int', ...PYTHON_QUEUES),
    of('queue/int/our-queue'),
  ],
  [
    'a small message there and back',
    queues('queue/roundtrip', ...IPC),
    queues('queue/roundtrip', ...THREADS),
    queues('queue/roundtrip', ...PYTHON_QUEUES),
    of('queue/roundtrip/our-queue'),
  ],
  [
    'one more in a shared integer',
    none,
    of('lock/increment/worker_threads'),
    of('lock/increment/python'),
    of('lock/increment/ours'),
  ],
  [
    'memory of the parent',
    say('not there'),
    say('not there'),
    say('shared until written'),
    say('shared until written'),
  ],
  ['a native crash in the child', say('its own'), say('ends the program'), say('its own'), say('its own')],
  ['`kill -9` of the parent', say('child lives on'), none, say('daemons live on'), say('daemons end')],
];

const chinese: Readonly<Record<string, string>> = {
  median: '中位数',
  here: '这里',
  'what runs': '运行什么',
  'a file': '一个文件',
  'any function': '任意函数',
  'any function, sync or async': '任意函数，同步或异步',
  'start + join of nothing': '启动并 join 一个空进程',
  'take and give back a free lock': '取放一把没人争的锁',
  'count under a lock that two want, each time': '两个进程抢一把锁，每次计数',
  'signal to the other side and back': '给对方发信号并等回应',
  'a small message through a queue': '队列传一条小消息',
  'a small message there and back': '一条小消息一来一回',
  'one more in a shared integer': '共享整数加一',
  'memory of the parent': '父进程的内存',
  'not there': '没有',
  'shared until written': '写之前共享',
  'a native crash in the child': '子进程里原生代码崩溃',
  'its own': '只影响自己',
  'ends the program': '整个程序结束',
  '`kill -9` of the parent': '父进程被 `kill -9`',
  'child lives on': '子进程继续活着',
  'daemons live on': '守护进程继续活着',
  'daemons end': '守护进程一起结束',
};
const inChinese = (words: string): string => chinese[words] ?? words;

const blocks: Readonly<Record<string, (results: Results) => string>> = {
  compare: (results) => figures(results, comparisonHead, comparison, 'words'),
  'compare-zh': (results) =>
    figures(
      results,
      comparisonHead.map(inChinese),
      comparison.map(([label, ...cells]): Row => [
        inChinese(label),
        ...cells.map((cell) => ('words' in cell ? say(inChinese(cell.words)) : cell)),
      ]),
      'words',
    ).replaceAll(' to ', '～'),
  machine: ({ environment }) =>
    environmentLines(environment)
      .map((line) => `- ${line}`)
      .join('\n'),
  faster: whereOthersAreFaster,
  start: (results) =>
    matrix(results, {
      'start/small': 'small',
      'start/heap': '500 MB of small objects',
      'start/buffers': '500 MB of buffers',
      'start/gigabyte': '1 GB of small objects',
    }),
  memory: (results) => matrix(results, { memory: 'private memory' }),
  cpu: (results) => matrix(results, { cpu: 'speed in a child' }),
  lock: (results) =>
    matrix(results, {
      'lock/lock': 'free `Lock`',
      'lock/rlock': 'free `RLock`',
      'lock/semaphore': 'free `Semaphore`',
      'lock/contended-2': 'wanted by 2',
      'lock/contended-4': 'wanted by 4',
      'lock/handover': 'signal and back',
      'lock/handover-alone': '… on one processor',
      'lock/increment': 'shared integer',
    }),
  queue: (results) =>
    matrix(results, {
      'queue/int': 'integers',
      'queue/object': 'objects',
      'queue/64k': '64 KiB',
      'queue/1m': '1 MiB',
      'queue/roundtrip': 'there and back',
      'queue/roundtrip-alone': '… on one processor',
    }),
  'queue-many': (results) =>
    matrix(results, { 'queue/int-2-2': '2 to 2', 'queue/int-1-4': '1 to 4', 'queue/int-4-1': '4 to 1' }),
  pool: (results) =>
    matrix(results, {
      'pool/cold': 'first pool',
      'pool/again': 'further pool',
      'pool/chunks': '10,000 tasks in chunks',
      'pool/each': '10,000 tasks one by one',
      'pool/blocks': '1,000 results of 10 KiB',
      'pool/cpu': 'speed-up by two',
      'pool/input': '256 MiB of input',
    }),
};

/** The text with all such tables made from the results. */
export async function filled(text: string, results: Results): Promise<string> {
  const parts = text.split(/(<!-- bench:[\w-]+ -->\n[^]*?<!-- \/bench -->)/);
  const texts = parts.map(async (part) => {
    const name = /^<!-- bench:([\w-]+) -->/.exec(part)?.[1];
    if (name === undefined) return part;
    const block = blocks[name];
    if (block === undefined) throw new Error(`no table 'bench:${name}'`);
    return `<!-- bench:${name} -->\n\n${await prettyMarkdown(block(results))}\n<!-- /bench -->`;
  });
  return (await Promise.all(texts)).join('');
}
