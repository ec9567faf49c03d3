/* SPDX-License-Identifier: Apache-2.0 */
#include "common/config_value.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A unit that may stand behind a number; the largest first, the bare one last. */
struct unit {
    const char *name;
    uint64_t factor;
};

static const struct unit no_units[] = {{"", 1}, {NULL, 0}};
static const struct unit size_units[] = {{"T", 1ULL << 40}, {"G", 1ULL << 30}, {"M", 1ULL << 20},
                                         {"k", 1ULL << 10}, {"", 1},           {NULL, 0}};
static const struct unit time_units[] = {{"d", 86400000}, {"h", 3600000}, {"m", 60000},
                                         {"s", 1000},     {"ms", 1},      {NULL, 0}};

static const struct {
    const char *word;
    bool value;
} bool_words[] = {{"yes", true},    {"no", false}, {"true", true},
                  {"false", false}, {"on", true},  {"off", false}};

static const struct unit *units_of(enum config_type type)
{
    switch (type) {
    case CONFIG_SIZE:
        return size_units;
    case CONFIG_DURATION:
        return time_units;
    default:
        return no_units;
    }
}

static void *field(const struct config_option *opt, void *values)
{
    return (char *)values + opt->offset;
}

static const void *field_const(const struct config_option *opt, const void *values)
{
    return (const char *)values + opt->offset;
}

static PRINTF_LIKE(2, 3) int complain(struct config_problem *problem, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(problem->msg, sizeof(problem->msg), fmt, ap);
    va_end(ap);
    return ERR_INVALID;
}

static void suggest_range(const struct config_option *opt, struct config_problem *problem)
{
    struct buf b = {0};

    config_value_range(opt, &b);
    if (!b.failed)
        (void)snprintf(problem->hint, sizeof(problem->hint), "allowed: %.*s", (int)b.len,
                       (const char *)b.data);
    buf_free(&b);
}

/* Digits, then one of ${units}; false if it is anything else or does not fit. */
static bool read_number(const char *text, const struct unit *units, uint64_t *ret_n)
{
    uint64_t n = 0;
    const char *p = text;

    for (; isdigit((unsigned char)*p); p++)
        if (__builtin_mul_overflow(n, 10, &n) ||
            __builtin_add_overflow(n, (unsigned)(*p - '0'), &n))
            return false;
    if (p == text)
        return false;
    while (*p == ' ')
        p++;
    if (n == 0 && *p == '\0') {
        *ret_n = 0;
        return true;
    }
    for (; units->name != NULL; units++)
        if (strcmp(p, units->name) == 0)
            return !__builtin_mul_overflow(n, units->factor, ret_n);
    return false;
}

static int set_number(const struct config_option *opt, const char *text, void *values,
                      struct config_problem *problem)
{
    uint64_t n = 0;

    suggest_range(opt, problem);
    if (!read_number(text, units_of(opt->type), &n))
        return complain(problem, "'%s' is not a %s: '%.40s'", opt->name,
                        opt->type == CONFIG_SIZE       ? "size, as in 64M"
                        : opt->type == CONFIG_DURATION ? "duration, as in 30s"
                                                       : "number",
                        text);
    if (n < opt->min || n > opt->max)
        return complain(problem, "'%s' is out of range: '%.40s'", opt->name, text);
    *(uint64_t *)field(opt, values) = n;
    return ERR_OK;
}

static int set_bool(const struct config_option *opt, const char *text, void *values,
                    struct config_problem *problem)
{
    for (size_t i = 0; i < sizeof(bool_words) / sizeof(bool_words[0]); i++)
        if (strcmp(text, bool_words[i].word) == 0) {
            *(bool *)field(opt, values) = bool_words[i].value;
            return ERR_OK;
        }
    suggest_range(opt, problem);
    return complain(problem, "'%s' is neither yes nor no: '%.40s'", opt->name, text);
}

static int set_enum(const struct config_option *opt, const char *text, void *values,
                    struct config_problem *problem)
{
    for (unsigned i = 0; opt->words[i] != NULL; i++)
        if (strcmp(text, opt->words[i]) == 0) {
            *(unsigned *)field(opt, values) = i;
            return ERR_OK;
        }
    suggest_range(opt, problem);
    return complain(problem, "'%s' cannot be '%.40s'", opt->name, text);
}

/*
 * Take one word, quoted or bare, from ${*p}; bare ones end at ${stop} or at
 * the end, without the spaces around.  Sets ${*p} behind it.  NULL: malformed
 * (problem filled) or out of memory (problem untouched).
 */
static char *take_word(const char **p, char stop, struct config_problem *problem)
{
    const char *s = *p;
    char *word = malloc(strlen(s) + 1);
    size_t n = 0;

    if (word == NULL)
        return NULL;
    if (*s == '"') {
        for (s++; *s != '\0' && *s != '"'; s++) {
            if (*s == '\\' && (s[1] == '"' || s[1] == '\\'))
                s++;
            word[n++] = *s;
        }
        if (*s != '"') {
            (void)complain(problem, "a quote is not closed");
            free(word);
            return NULL;
        }
        for (s++; *s == ' ' || *s == '\t';)
            s++;
    } else {
        while (*s != '\0' && *s != stop && *s != '"' && *s != '#')
            word[n++] = *s++;
        while (n > 0 && (word[n - 1] == ' ' || word[n - 1] == '\t'))
            n--;
    }
    word[n] = '\0';
    if (*s != '\0' && *s != stop) {
        (void)complain(problem, "unexpected '%c' in the value", *s);
        (void)snprintf(problem->hint, sizeof(problem->hint),
                       "comments need a line of their own; put quotes around the whole value");
        free(word);
        return NULL;
    }
    *p = s;
    return word;
}

static int set_string(const struct config_option *opt, const char *text, void *values,
                      struct config_problem *problem)
{
    char *word = take_word(&text, '\0', problem);
    char **to = field(opt, values);

    if (word == NULL)
        return problem->msg[0] != '\0' ? ERR_INVALID : ERR_NOMEM;
    if (strlen(word) < opt->min || strlen(word) > opt->max) {
        free(word);
        suggest_range(opt, problem);
        return complain(problem, "'%s' has the wrong length", opt->name);
    }
    free(*to);
    *to = word;
    return ERR_OK;
}

static void list_free(struct config_list *list)
{
    for (size_t i = 0; i < list->n; i++)
        free(list->items[i]);
    free(list->items);
    *list = (struct config_list){0};
}

/* The items of ${text}; a trailing or doubled comma is a problem. */
static int read_list(const char *text, struct config_list *list, struct config_problem *problem)
{
    for (;;) {
        char *word;

        while (*text == ' ' || *text == '\t')
            text++;
        word = take_word(&text, ',', problem);
        if (word == NULL)
            return problem->msg[0] != '\0' ? ERR_INVALID : ERR_NOMEM;
        if (word[0] == '\0' || list->n == CONFIG_MAX_ITEMS) {
            free(word);
            return complain(problem, list->n == CONFIG_MAX_ITEMS ? "the list is too long"
                                                                 : "the list has an empty item");
        }
        list->items[list->n++] = word;
        if (*text == '\0')
            return ERR_OK;
        text++;
    }
}

static int set_list(const struct config_option *opt, const char *text, void *values,
                    struct config_problem *problem)
{
    struct config_list list = {0};
    int rc = ERR_OK;

    list.items = calloc(CONFIG_MAX_ITEMS, sizeof(*list.items));
    if (list.items == NULL)
        return ERR_NOMEM;
    if (*text != '\0')
        rc = read_list(text, &list, problem);
    if (rc == ERR_OK && (list.n < opt->min || list.n > opt->max)) {
        suggest_range(opt, problem);
        rc = complain(problem, "'%s' has %zu items", opt->name, list.n);
    }
    if (rc != ERR_OK) {
        list_free(&list);
        return rc;
    }
    config_value_free(opt, values);
    *(struct config_list *)field(opt, values) = list;
    return ERR_OK;
}

int config_value_set(const struct config_option *opt, const char *text, void *values,
                     struct config_problem *problem)
{
    problem->msg[0] = '\0';
    problem->hint[0] = '\0';
    switch (opt->type) {
    case CONFIG_STRING:
        return set_string(opt, text, values, problem);
    case CONFIG_BOOL:
        return set_bool(opt, text, values, problem);
    case CONFIG_ENUM:
        return set_enum(opt, text, values, problem);
    case CONFIG_LIST:
        return set_list(opt, text, values, problem);
    default:
        return set_number(opt, text, values, problem);
    }
}

static void put_text(struct buf *out, const char *s)
{
    buf_put(out, s, strlen(s));
}

static void put_number(struct buf *out, enum config_type type, uint64_t n)
{
    char text[32];
    const struct unit *u = units_of(type);

    while (n == 0 && u[1].name != NULL)
        u++;
    while (n != 0 && n % u->factor != 0)
        u++;
    (void)snprintf(text, sizeof(text), "%llu%s", (unsigned long long)(n / u->factor),
                   n == 0 ? "" : u->name);
    put_text(out, text);
}

/* Bare if that reads back the same, else in quotes. */
static void put_word(struct buf *out, const char *word)
{
    size_t n = strlen(word);
    bool bare = n > 0 && strpbrk(word, "\",#\\") == NULL && !isspace((unsigned char)word[0]) &&
                !isspace((unsigned char)word[n - 1]);

    if (bare) {
        put_text(out, word);
        return;
    }
    buf_u8(out, '"');
    for (; *word != '\0'; word++) {
        if (*word == '"' || *word == '\\')
            buf_u8(out, '\\');
        buf_u8(out, (uint8_t)*word);
    }
    buf_u8(out, '"');
}

static bool put_list(struct buf *out, const struct config_list *list)
{
    for (size_t i = 0; i < list->n; i++) {
        if (i > 0)
            put_text(out, ", ");
        put_word(out, list->items[i]);
    }
    return list->items != NULL;
}

bool config_value_put(const struct config_option *opt, const void *values, struct buf *out)
{
    const void *at = field_const(opt, values);

    switch (opt->type) {
    case CONFIG_STRING:
        if (*(char *const *)at == NULL)
            return false;
        put_word(out, *(char *const *)at);
        return true;
    case CONFIG_BOOL:
        put_text(out, *(const bool *)at ? "yes" : "no");
        return true;
    case CONFIG_ENUM:
        put_text(out, opt->words[*(const unsigned *)at]);
        return true;
    case CONFIG_LIST:
        return put_list(out, at);
    default:
        put_number(out, opt->type, *(const uint64_t *)at);
        return true;
    }
}

void config_value_range(const struct config_option *opt, struct buf *out)
{
    switch (opt->type) {
    case CONFIG_BOOL:
        put_text(out, "yes or no");
        return;
    case CONFIG_ENUM:
        for (size_t i = 0; opt->words[i] != NULL; i++) {
            if (i > 0)
                put_text(out, opt->words[i + 1] == NULL ? " or " : ", ");
            put_text(out, opt->words[i]);
        }
        return;
    default:
        put_number(out, opt->type, opt->min);
        put_text(out, " to ");
        put_number(out, opt->type, opt->max);
        if (opt->type == CONFIG_STRING)
            put_text(out, " bytes");
        if (opt->type == CONFIG_LIST)
            put_text(out, " items");
    }
}

void config_value_free(const struct config_option *opt, void *values)
{
    if (opt->type == CONFIG_STRING) {
        char **s = field(opt, values);

        free(*s);
        *s = NULL;
    } else if (opt->type == CONFIG_LIST) {
        list_free(field(opt, values));
    }
}
