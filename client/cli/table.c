/* SPDX-License-Identifier: Apache-2.0 */
#include "client/cli/table.h"

#include <stdlib.h>
#include <string.h>

#include "client/cli/text.h"

enum { GAP = 2 }; /* between columns */

static const char *cell(const struct table *t, char *const *cells, size_t c)
{
    return cells != NULL ? cells[c] : t->heads[c];
}

void table_measure(struct table *t, char *const cells[TABLE_COLUMNS])
{
    for (size_t c = 0; c < TABLE_COLUMNS; c++) {
        size_t n = t->heads[c] != NULL ? text_columns(cell(t, cells, c)) : 0;

        if (n > t->widths[c])
            t->widths[c] = n;
    }
}

/* The widest column that can be cut further; TABLE_COLUMNS: none. */
static size_t widest(const struct table *t)
{
    size_t most = 0, found = TABLE_COLUMNS;

    for (size_t c = 0; c < TABLE_COLUMNS; c++)
        if (t->least[c] > 0 && t->heads[c] != NULL && t->widths[c] > t->least[c] &&
            t->widths[c] > most) {
            most = t->widths[c];
            found = c;
        }
    return found;
}

void table_fit(struct table *t, size_t columns)
{
    size_t all = 0, c;

    for (c = 0; c < TABLE_COLUMNS; c++)
        if (t->heads[c] != NULL)
            all += t->widths[c] + (all > 0 ? GAP : 0);
    for (; all > columns && (c = widest(t)) < TABLE_COLUMNS; all--)
        t->widths[c]--;
}

char *table_line(const struct table *t, char *const cells[TABLE_COLUMNS])
{
    size_t size = 1, gap = 0;
    char *line, *at;

    for (size_t c = 0; c < TABLE_COLUMNS; c++)
        if (t->heads[c] != NULL)
            size += strlen(cell(t, cells, c)) + TEXT_FIT + t->widths[c] + GAP;
    line = at = malloc(size);
    if (line == NULL)
        return NULL;
    for (size_t c = 0; c < TABLE_COLUMNS; c++) {
        size_t n;

        if (t->heads[c] == NULL)
            continue;
        memset(at, ' ', gap); /* behind the last one is nothing */
        at = text_fit(cell(t, cells, c), t->widths[c], at + gap);
        n = text_columns(at);
        at += strlen(at);
        gap = GAP + (t->widths[c] > n ? t->widths[c] - n : 0);
    }
    *at = '\0';
    return line;
}
