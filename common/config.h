/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config - settings from a text file, driven by a table.
 *
 *     # a comment stands on a line of its own
 *     [limits]
 *     connections = 2000
 *     idle = 10m
 *     listen = 0.0.0.0:7743, [::]:7743
 *     software = " quotes keep spaces, \" and \\ "
 *
 * A program describes each option by one row: where it stands, its type, its
 * range, its default, its unit and a line of help.  Parsing fills the
 * program's own struct and collects every problem with its line, not just the
 * first; dumping writes a file that parses to the same values.
 *
 * Threads: any, one at a time for each object.  Only config_read() touches the disk.
 */
#ifndef COMMON_CONFIG_H
#define COMMON_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"

enum {
    CONFIG_MAX_FILE = 64 * 1024,
    CONFIG_MAX_LINE = 2048,
    CONFIG_MAX_ITEMS = 64,    /* of a list */
    CONFIG_MAX_PROBLEMS = 50, /* kept; the rest is counted */
    CONFIG_MAX_OPTIONS = 128, /* of a schema */
};

/* The type of the field at `offset` stands behind each. */
enum config_type {
    CONFIG_STRING,   /* char *: malloc()ed, or NULL without a value; range: length in bytes */
    CONFIG_BOOL,     /* bool: yes or no, true or false, on or off */
    CONFIG_INT,      /* uint64_t */
    CONFIG_SIZE,     /* uint64_t, bytes: a number with nothing, k, M, G or T (of 1024) behind */
    CONFIG_DURATION, /* uint64_t, milliseconds: a number with ms, s, m, h or d behind, or 0 */
    CONFIG_ENUM,     /* unsigned: index into `words` */
    CONFIG_LIST,     /* struct config_list: commas between; range: number of items */
};

struct config_list {
    char **items;
    size_t n;
};

/* One option.  Strings are static. */
struct config_option {
    const char *section, *name;
    enum config_type type;
    size_t offset;            /* of the field in the program's struct */
    uint64_t min, max;        /* both inclusive; in the field's unit */
    const char *const *words; /* of an enum, NULL behind the last */
    const char *fallback; /* the default as it would stand in a file; NULL: optional, stays empty */
    bool required;        /* must stand in the file; then `fallback` is not used */
    const char *help;     /* one line */
};

struct config_report;

struct config_schema {
    const struct config_option *options;
    size_t n;
    size_t size; /* of the program's struct */
    /*
     * Rules between options, or NULL.  Called when all is read, whatever was wrong before: what
     * config_usable() does not confirm has its default, or nothing.  Adds to ${rep}.
     */
    void (*check)(const void *values, struct config_report *rep);
};

struct config_problem {
    unsigned line; /* 0: about the file as a whole */
    char msg[192];
    char hint[160]; /* what to do; may be empty */
};

struct config_report {
    struct config_problem items[CONFIG_MAX_PROBLEMS];
    size_t n, total;
    unsigned lines[CONFIG_MAX_OPTIONS]; /* where each option stands; 0: it does not */
    bool faulty[CONFIG_MAX_OPTIONS];    /* it has no value that counts */
};

/*
 * Read ${len} bytes of text into ${ret_values}, a zeroed struct of
 * schema->size bytes.  ERR_INVALID: ${rep} has the problems and ${ret_values}
 * is zero again.  Otherwise free it with config_free().
 */
MUST_CHECK int config_parse(const struct config_schema *schema, const char *text, size_t len,
                            void *ret_values, struct config_report *rep);

/*
 * As config_parse() with the file at ${path}.  Also ERR_NOTFOUND, ERR_TOOLARGE
 * and ERR_IO, then ${rep} is empty.  With ERR_INVALID ${err} names the first problem.
 */
MUST_CHECK int config_read(const struct config_schema *schema, const char *path, void *ret_values,
                           struct config_report *rep, struct err *err);

/* The line of the option whose field is at ${offset}; 0 if it does not stand in the file. */
unsigned config_line(const struct config_schema *schema, const struct config_report *rep,
                     size_t offset);

/* Has it a value that may be compared with others: a good one of the file, or its default? */
bool config_usable(const struct config_schema *schema, const struct config_report *rep,
                   size_t offset);

/* Note a problem found by the program's own checks. */
void config_complain(struct config_report *rep, unsigned line, const char *msg, const char *hint);

/*
 * Append the values as a file.  With ${explain} each option has its help,
 * range and default in front, and those that equal their default are commented out.
 */
MUST_CHECK int config_dump(const struct config_schema *schema, const void *values, bool explain,
                           struct buf *out, struct err *err);

/* Append the names of the options whose values differ, commas between. */
void config_changed(const struct config_schema *schema, const void *before, const void *after,
                    struct buf *out);

/* Free the strings and lists and zero the struct. */
void config_free(const struct config_schema *schema, void *values);

/* The nearest of ${n} words to ${word}, or NULL if none is near enough to be meant. */
const char *config_nearest(const char *word, const char *const *words, size_t n);

#endif /* COMMON_CONFIG_H */
