/** Bars as SVG: the shortest first, ours in colour, the middle 80 % of the samples as a whisker. */
import { BarChart, CustomChart, type CustomSeriesOption } from 'echarts/charts';
import { GridComponent } from 'echarts/components';
import * as echarts from 'echarts/core';
import { SVGRenderer } from 'echarts/renderers';

import { inUnit, type Measured } from '../harness/section.ts';
import type { SavedSection } from './results.ts';

echarts.use([BarChart, CustomChart, GridComponent, SVGRenderer]);

const WIDTH = 760;
const ROW_HEIGHT = 26;
const EDGE_HEIGHT = 40;
/** Nothing here can measure text: wide enough for usual letters. */
const CHARACTER_WIDTH = 7;
/** From this ratio of the largest to the smallest on, bars would no longer be seen beside each other. */
const LOGARITHMIC_FROM = 20;
const FONT = 'system-ui, Helvetica, Arial, sans-serif';

/** The colours of the light mode, and what they are in the dark one. */
const colors = {
  page: ['#ffffff', '#0d1117'],
  text: ['#1f2328', '#e6edf3'],
  lines: ['#d1d9e0', '#30363d'],
  ours: ['#0969da', '#4493f8'],
  others: ['#9aa4af', '#6e7681'],
} as const;
type Color = keyof typeof colors;
const light = (color: Color): string => colors[color][0];

export function plot({ measured = [], unit = 'ns' }: SavedSection): string {
  const worst = (a: Measured, b: Measured): number => (unit === 'times' ? a.median - b.median : b.median - a.median);
  const bars = measured.filter(({ median }) => median > 0).toSorted(worst);
  const medians = bars.map(({ median }) => median);
  const isLogarithmic = Math.max(...medians) / Math.min(...medians) >= LOGARITHMIC_FROM;
  const labelWidth = 24 + CHARACTER_WIDTH * Math.max(...bars.map(({ label }) => label.length));
  const height = EDGE_HEIGHT + ROW_HEIGHT * bars.length;
  const chart = echarts.init(null, null, { renderer: 'svg', ssr: true, width: WIDTH, height });
  const text = { color: light('text'), fontFamily: FONT, fontSize: 12 };
  chart.setOption({
    animation: false,
    backgroundColor: light('page'),
    grid: { left: labelWidth, right: 96, top: 8, bottom: EDGE_HEIGHT - 8, outerBoundsMode: 'none' },
    xAxis: {
      type: isLogarithmic ? 'log' : 'value',
      ...(isLogarithmic && { min: 10 ** Math.floor(Math.log10(Math.min(...medians))) }),
      splitNumber: 5,
      axisLabel: { ...text, formatter: (value: number) => shortly(value, unit), hideOverlap: true },
      splitLine: { lineStyle: { color: light('lines') } },
    },
    yAxis: {
      type: 'category',
      data: bars.map(({ label }) => label),
      axisLabel: text,
      axisTick: { show: false },
      axisLine: { lineStyle: { color: light('lines') } },
    },
    series: [
      {
        type: 'bar',
        silent: true,
        barWidth: '62%',
        data: bars.map(({ median, ours }) => ({
          value: median,
          itemStyle: { color: light(ours ? 'ours' : 'others') },
        })),
      },
      {
        type: 'custom',
        silent: true,
        data: bars.map(({ median, p10 = median, p90 = median }, row) => [row, p10, p90, median]),
        encode: { y: 0, x: [1, 2] },
        renderItem: ((_, api) => {
          const [row, p10, p90] = [0, 1, 2].map((dimension) => Number(api.value(dimension))) as [
            number,
            number,
            number,
          ];
          const [from = 0, y = 0] = api.coord([p10, row]);
          const [to = 0] = api.coord([p90, row]);
          const whisker = (x1: number, y1: number, x2: number, y2: number) => ({
            type: 'line' as const,
            shape: { x1, y1, x2, y2 },
            style: { stroke: light('text'), lineWidth: 1 },
          });
          return {
            type: 'group',
            children: [
              ...(to > from
                ? [whisker(from, y, to, y), whisker(from, y - 4, from, y + 4), whisker(to, y - 4, to, y + 4)]
                : []),
              {
                type: 'text',
                style: {
                  x: to + 8,
                  y,
                  text: inUnit(Number(api.value(3)), unit),
                  verticalAlign: 'middle',
                  fill: light('text'),
                  font: `12px ${FONT}`,
                },
              },
            ],
          };
        }) satisfies CustomSeriesOption['renderItem'],
      },
    ],
  });
  const svg = chart.renderToSVGString();
  chart.dispose();
  return withDarkMode(svg);
}

/** Without digits that a scale does not need. */
const shortly = (value: number, unit: NonNullable<SavedSection['unit']>): string =>
  value === 0
    ? '0'
    : inUnit(value, unit)
        .replace(/\.0+(?= )/, '')
        .replace(/(\.\d*?)0+(?= )/, '$1');

function withDarkMode(svg: string): string {
  const rules = Object.values(colors).flatMap(([light, dark]) =>
    ['fill', 'stroke'].map((property) => `[${property}="${light}"]{${property}:${dark}}`),
  );
  const style = `<style>@media (prefers-color-scheme:dark){${rules.join('')}}</style>`;
  return `${svg.replace('>', `>${style}`)}\n`;
}
