/* SPDX-License-Identifier: Apache-2.0 */
/*
 * options - arguments of a verb from a table.
 *
 * "--name VALUE", "--name=VALUE", "-o VALUE"; an option takes the next argument
 * whatever it begins with; "--" ends options; options and operands may mix.
 */
#ifndef CLIENT_CLI_OPTIONS_H
#define CLIENT_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/satchel/error.h"

enum opt_kind {
    OPT_FLAG,     /* bool * */
    OPT_TEXT,     /* const char **: borrowed from argv */
    OPT_COUNT,    /* uint32_t *: 1 to 4,294,967,295 */
    OPT_FD,       /* int *: an open descriptor */
    OPT_DURATION, /* uint64_t *: ms, from 30s, 15m, 12h, 7d, 2w */
    OPT_END,      /* struct when *: when.h */
    OPT_RATE,     /* uint64_t *: bytes a second, from 300, 500K, 10M, 1G */
    OPT_LIST,     /* struct opt_list *: every value given, split at commas */
};

enum { OPT_LIST_MAX = 256 };

/* The values of an option that may be repeated: borrowed from argv, whose commas are cut. */
struct opt_list {
    const char *items[OPT_LIST_MAX];
    size_t count;
};

struct opt {
    const char *name; /* without "--"; NULL ends a table */
    char letter;      /* 0: none */
    enum opt_kind kind;
    void *to;
    const char *arg; /* name of the value in --help; NULL for flags */
    const char *help;
};

/*
 * Take the options of ${globals} and, if not NULL, ${own} out of ${argv}; what
 * stays are the operands, in order.  *${argc} is their number.  With
 * ${stop_at_operand} parsing ends before the first operand (to find the verb).
 * SATCHEL_E_INVALID names the argument at fault.
 */
int options_parse(const struct opt *globals, const struct opt *own, bool stop_at_operand, int *argc,
                  char **argv, struct satchel_error *err);

/* Print the rows of a table as --help shows them, to standard output. */
void options_help(const struct opt *opts);

/*
 * Print ${text} in lines of at most 80 columns, broken anew between its words: the first goes on
 * at column ${at}, the others begin at ${indent}.  To standard output.
 */
void options_wrap(const char *text, size_t at, size_t indent);

/* "7d" as milliseconds; false if it is none, is zero or does not fit. */
bool options_duration(const char *text, uint64_t *ret_ms);

/* "500K" (of 1,000) as bytes a second; false if it is none, is zero or does not fit. */
bool options_rate(const char *text, uint64_t *ret_bytes);

#endif /* CLIENT_CLI_OPTIONS_H */
