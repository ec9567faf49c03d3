/* SPDX-License-Identifier: Apache-2.0 */
#include "client/cli/options.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/cli.h"
#include "client/cli/text.h"
#include "client/cli/when.h"

enum { HELP_COLUMNS = 80, HELP_INDENT = 31 };

struct unit {
    char letter; /* 0: the number alone */
    uint64_t times;
};

/* A number, 1 or more, and one of the ${n} units. */
static bool parse_units(const char *text, const struct unit *units, size_t n, uint64_t *ret)
{
    char *end = NULL;
    unsigned long long x;

    if (text[0] < '0' || text[0] > '9')
        return false;
    errno = 0;
    x = strtoull(text, &end, 10);
    if (errno != 0 || x == 0 || (end[0] != '\0' && end[1] != '\0'))
        return false;
    for (size_t i = 0; i < n; i++) {
        if (units[i].letter != end[0] || x > UINT64_MAX / 2 / units[i].times)
            continue;
        *ret = x * units[i].times;
        return true;
    }
    return false;
}

bool options_duration(const char *text, uint64_t *ret_ms)
{
    static const struct unit units[] = {
        {'s', 1000}, {'m', 60000}, {'h', 3600000}, {'d', 86400000}, {'w', 604800000}};

    return parse_units(text, units, sizeof(units) / sizeof(units[0]), ret_ms);
}

bool options_rate(const char *text, uint64_t *ret_bytes)
{
    static const struct unit units[] = {
        {'\0', 1}, {'k', 1000}, {'K', 1000}, {'M', 1000000}, {'G', 1000000000}};

    return parse_units(text, units, sizeof(units) / sizeof(units[0]), ret_bytes);
}

static bool parse_number(const char *text, unsigned long long min, unsigned long long max,
                         unsigned long long *ret)
{
    char *end = NULL;
    unsigned long long n;

    if (text[0] < '0' || text[0] > '9')
        return false;
    errno = 0;
    n = strtoull(text, &end, 10);
    if (errno != 0 || end[0] != '\0' || n < min || n > max)
        return false;
    *ret = n;
    return true;
}

static int set_count(const struct opt *o, const char *value, struct satchel_error *err)
{
    unsigned long long n;

    if (!parse_number(value, 1, UINT32_MAX, &n))
        return cli_error(err, SATCHEL_E_INVALID, "--%s needs a number from 1 to %u, not '%s'",
                         o->name, UINT32_MAX, value);
    *(uint32_t *)o->to = (uint32_t)n;
    return SATCHEL_OK;
}

static int set_fd(const struct opt *o, const char *value, struct satchel_error *err)
{
    unsigned long long n;

    if (!parse_number(value, 0, 65535, &n) || fcntl((int)n, F_GETFD) < 0)
        return cli_error(err, SATCHEL_E_INVALID,
                         "--%s needs the number of an open file descriptor, not '%s'", o->name,
                         value);
    *(int *)o->to = (int)n;
    return SATCHEL_OK;
}

/* Without the spaces around it, in place. */
static void trim(char **text)
{
    size_t len;

    *text += strspn(*text, " \t");
    for (len = strlen(*text); len > 0 && strchr(" \t", (*text)[len - 1]) != NULL; len--)
        (*text)[len - 1] = '\0';
}

/* Add the parts of ${value}, cut at its commas in place. */
static int add_list(const struct opt *o, char *value, struct satchel_error *err)
{
    struct opt_list *list = o->to;

    for (char *at = value; at != NULL;) {
        char *comma = strchr(at, ',');

        if (comma != NULL)
            *comma = '\0';
        trim(&at);
        if (*at == '\0' || list->count == OPT_LIST_MAX)
            return cli_error(err, SATCHEL_E_INVALID,
                             "--%s takes 1 to %d names with commas between, none empty", o->name,
                             OPT_LIST_MAX);
        list->items[list->count++] = at;
        at = comma != NULL ? comma + 1 : NULL;
    }
    return SATCHEL_OK;
}

static int set_end(const struct opt *o, const char *value, struct satchel_error *err)
{
    char what[64];

    (void)snprintf(what, sizeof(what), "--%s", o->name);
    return when_read(what, value, text_now(), o->to, err);
}

static int set_value(const struct opt *o, char *value, struct satchel_error *err)
{
    switch (o->kind) {
    case OPT_FLAG:
        *(bool *)o->to = true;
        return SATCHEL_OK;
    case OPT_TEXT:
        *(const char **)o->to = value;
        return SATCHEL_OK;
    case OPT_COUNT:
        return set_count(o, value, err);
    case OPT_FD:
        return set_fd(o, value, err);
    case OPT_LIST:
        return add_list(o, value, err);
    case OPT_DURATION:
        if (options_duration(value, o->to))
            return SATCHEL_OK;
        return cli_error(err, SATCHEL_E_INVALID,
                         "--%s needs a length of time such as 12h or 7d, not '%s'", o->name, value);
    case OPT_END:
        return set_end(o, value, err);
    case OPT_RATE:
        if (options_rate(value, o->to))
            return SATCHEL_OK;
        return cli_error(err, SATCHEL_E_INVALID,
                         "--%s needs bytes a second such as 500K or 10M, not '%s'", o->name, value);
    }
    return cli_error(err, SATCHEL_E_INTERNAL, "option --%s has no kind", o->name);
}

/* The row that ${arg} ("--name", "--name=x", "-n") means; ${ret_value} is behind the '='. */
static const struct opt *match(const struct opt *opts, char *arg, char **ret_value)
{
    char *name = arg + 2, *eq = strchr(arg, '=');
    size_t len = eq != NULL ? (size_t)(eq - name) : strlen(name);

    for (const struct opt *o = opts; o != NULL && o->name != NULL; o++) {
        if (arg[1] != '-') {
            if (o->letter == arg[1] && arg[2] == '\0') {
                *ret_value = NULL;
                return o;
            }
            continue;
        }
        if (strlen(o->name) == len && strncmp(o->name, name, len) == 0) {
            *ret_value = eq != NULL ? eq + 1 : NULL;
            return o;
        }
    }
    return NULL;
}

int options_parse(const struct opt *globals, const struct opt *own, bool stop_at_operand, int *argc,
                  char **argv, struct satchel_error *err)
{
    int kept = 0, i = 0;

    for (; i < *argc; i++) {
        char *arg = argv[i], *value = NULL;
        const struct opt *o;
        int rc;

        if (strcmp(arg, "--") == 0) {
            i++;
            break;
        }
        if (arg[0] != '-' || arg[1] == '\0') {
            if (stop_at_operand)
                break;
            argv[kept++] = argv[i];
            continue;
        }
        o = match(own, arg, &value);
        if (o == NULL)
            o = match(globals, arg, &value);
        if (o == NULL) {
            rc = cli_error(err, SATCHEL_E_INVALID, "unknown option '%s'", arg);
            cli_hint(err, "--help lists the options; put -- before a name that begins with '-'");
            return rc;
        }
        if (o->kind == OPT_FLAG && value != NULL)
            return cli_error(err, SATCHEL_E_INVALID, "--%s takes no value", o->name);
        if (o->kind != OPT_FLAG && value == NULL) {
            if (i + 1 >= *argc)
                return cli_error(err, SATCHEL_E_INVALID, "%s needs a value", arg);
            value = argv[++i];
        }
        rc = set_value(o, value, err);
        if (rc != SATCHEL_OK)
            return rc;
    }
    while (i < *argc)
        argv[kept++] = argv[i++];
    *argc = kept;
    return SATCHEL_OK;
}

void options_wrap(const char *text, size_t at, size_t indent)
{
    static const char space[] = " \n";
    size_t begin = at, len;

    for (text += strspn(text, space); *text != '\0'; text += strspn(text, space)) {
        len = strcspn(text, space);
        if (at > begin && at + 1 + len > HELP_COLUMNS) {
            printf("\n%*s", (int)indent, "");
            at = begin = indent;
        }
        printf("%s%.*s", at > begin ? " " : "", (int)len, text);
        at += len + (at > begin ? 1 : 0);
        text += len;
    }
    printf("\n");
}

void options_help(const struct opt *opts)
{
    for (const struct opt *o = opts; o != NULL && o->name != NULL; o++) {
        char left[64];

        (void)snprintf(left, sizeof(left), "%c%c%c --%s%s%s", o->letter ? '-' : ' ',
                       o->letter ? o->letter : ' ', o->letter ? ',' : ' ', o->name,
                       o->arg ? " " : "", o->arg ? o->arg : "");
        printf("  %-28s ", left);
        options_wrap(o->help, HELP_INDENT, HELP_INDENT);
    }
}
