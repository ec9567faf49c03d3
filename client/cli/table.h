/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table - rows of cells in columns, no wider than a terminal.
 *
 * Cells are safe texts (text.h), and borrowed.  Threads: any.
 */
#ifndef CLIENT_CLI_TABLE_H
#define CLIENT_CLI_TABLE_H

#include <stddef.h>

enum { TABLE_COLUMNS = 8 };

struct table {
    const char *heads[TABLE_COLUMNS]; /* NULL: this column is not shown */
    size_t least[TABLE_COLUMNS];      /* it may be cut down to this; 0: never */
    size_t widths[TABLE_COLUMNS];     /* 0 in the beginning */
};

/* Widen the columns for one row, or with NULL for the heads. */
void table_measure(struct table *t, char *const cells[TABLE_COLUMNS]);

/*
 * When all is measured: narrow columns that may be cut, the widest first, until a line takes at
 * most ${columns}, or none can be cut further: the terminal then breaks it.
 */
void table_fit(struct table *t, size_t columns);

/*
 * One row, or with NULL the heads, as a line without its end; what does not fit its column is cut.
 * free() it.  NULL: out of memory.
 */
char *table_line(const struct table *t, char *const cells[TABLE_COLUMNS]);

#endif /* CLIENT_CLI_TABLE_H */
