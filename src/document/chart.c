// SPDX-License-Identifier: Apache-2.0
// Bars or lines over labels, with a scale of round numbers. Knows nothing of the format it is drawn on.
#include <math.h>
#include <stdio.h>

#include "document/writer.h"

enum { LEFT = 60, RIGHT = 10, TOP = 40, BOTTOM = 30, TICKS = 5, LABEL_WIDTH = 70, LEGEND_WIDTH = 110, NUMBER_MAX = 32 };
enum { COLOR_GRID = 0xDDDDDD, COLOR_AXIS = 0x666666 };
static const double GAP = 0.2; // between the bars of two labels, of their width
static const unsigned colors[DOCUMENT_SERIES_MAX] = {0x2E7D32, 0xC62828, 0x1565C0, 0xEF6C00, 0x6A1B9A, 0x546E7A};

static double highest(const struct document_chart *c)
{
    double top = 0;
    for (size_t s = 0; s < c->n_series; s++)
        for (size_t i = 0; i < c->n; i++)
            top = c->series[s].v[i] > top ? c->series[s].v[i] : top;
    return top;
}

// 1, 2 or 5 times a power of ten, so that TICKS of it reach the top.
static double step_of(double top)
{
    if (!(top > 0))
        return 1;
    double raw = top / TICKS, power = pow(10, floor(log10(raw))), digit = raw / power;
    return power * (digit <= 1 ? 1 : digit <= 2 ? 2 : digit <= 5 ? 5 : 10);
}

static void scale_draw(const struct chart_canvas *on, double step, double high)
{
    char number[NUMBER_MAX];
    for (int i = 0; i <= TICKS; i++) {
        double y = TOP + high - high * i / TICKS;
        on->line(on->ctx, (double[]){LEFT, y, CHART_WIDTH - RIGHT, y}, i == 0 ? COLOR_AXIS : COLOR_GRID);
        (void)snprintf(number, sizeof number, "%g", step * i);
        on->text(on->ctx, LEFT - 6, y, CHART_RIGHT, str_of(number));
    }
}

static void legend_draw(const struct document_chart *c, const struct chart_canvas *on)
{
    on->text(on->ctx, LEFT, 12, CHART_LEFT, c->title);
    for (size_t s = 0; s < c->n_series; s++) {
        double x = LEFT + (double)(LEGEND_WIDTH * s);
        on->rect(on->ctx, (double[]){x, 22, 8, 8}, colors[s]);
        on->text(on->ctx, x + 12, 26, CHART_LEFT, c->series[s].name);
    }
}

static void labels_draw(const struct document_chart *c, const struct chart_canvas *on, double wide)
{
    size_t every = (size_t)ceil(LABEL_WIDTH / wide);
    for (size_t i = 0; i < c->n; i += every)
        on->text(on->ctx, LEFT + wide * ((double)i + 0.5), CHART_HEIGHT - BOTTOM + 12, CHART_MIDDLE, c->labels[i]);
}

void chart_draw(const struct document_chart *c, const struct chart_canvas *on)
{
    double high = CHART_HEIGHT - TOP - BOTTOM, wide = (CHART_WIDTH - LEFT - RIGHT) / (double)c->n;
    double step = step_of(highest(c)), most = step * TICKS;
    legend_draw(c, on);
    scale_draw(on, step, high);
    labels_draw(c, on, wide);
    double bar = wide * (1 - GAP) / (double)c->n_series;
    for (size_t s = 0; s < c->n_series; s++)
        for (size_t i = 0; i < c->n; i++) {
            double y = high * c->series[s].v[i] / most, middle = LEFT + wide * ((double)i + 0.5);
            if (!c->line && y > 0)
                on->rect(on->ctx, (double[]){LEFT + wide * ((double)i + GAP / 2) + bar * (double)s, TOP + high - y,
                                             bar, y}, colors[s]);
            else if (c->line && i > 0)
                on->line(on->ctx, (double[]){middle - wide, TOP + high - high * c->series[s].v[i - 1] / most, middle,
                                             TOP + high - y}, colors[s]);
            else if (c->line)
                on->rect(on->ctx, (double[]){middle - 1, TOP + high - y - 1, 2, 2}, colors[s]);
        }
}
