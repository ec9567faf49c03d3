/* SPDX-License-Identifier: Apache-2.0 */
#include "common/config.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/config_value.h"
#include "common/fs.h"

enum { MAX_WORD = 63 };

/* A file being read. */
struct parser {
    const struct config_schema *schema;
    void *values;
    struct config_report *rep;
    unsigned line;
    char section[MAX_WORD + 1];
    bool section_known;
    bool out_of_memory;
};

void config_complain(struct config_report *rep, unsigned line, const char *msg, const char *hint)
{
    struct config_problem *p;

    rep->total++;
    if (rep->n == CONFIG_MAX_PROBLEMS)
        return;
    p = &rep->items[rep->n++];
    *p = (struct config_problem){.line = line};
    (void)snprintf(p->msg, sizeof(p->msg), "%s", msg);
    (void)snprintf(p->hint, sizeof(p->hint), "%s", hint != NULL ? hint : "");
}

static size_t index_of(const struct config_schema *schema, size_t offset)
{
    size_t i = 0;

    while (i < schema->n && schema->options[i].offset != offset)
        i++;
    return i;
}

unsigned config_line(const struct config_schema *schema, const struct config_report *rep,
                     size_t offset)
{
    size_t i = index_of(schema, offset);

    return i < schema->n ? rep->lines[i] : 0;
}

bool config_usable(const struct config_schema *schema, const struct config_report *rep,
                   size_t offset)
{
    size_t i = index_of(schema, offset);

    return i < schema->n && !rep->faulty[i];
}

static PRINTF_LIKE(3, 4) void complain(struct parser *ps, const char *hint, const char *fmt, ...)
{
    char msg[sizeof(((struct config_problem *)NULL)->msg)];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(msg, sizeof(msg), fmt, ap);
    va_end(ap);
    config_complain(ps->rep, ps->line, msg, hint);
}

/* Levenshtein distance of words of at most MAX_WORD bytes. */
static size_t distance(const char *a, const char *b)
{
    size_t row[MAX_WORD + 2], na = strlen(a), nb = strlen(b);

    if (na > MAX_WORD || nb > MAX_WORD)
        return SIZE_MAX;
    for (size_t j = 0; j <= nb; j++)
        row[j] = j;
    for (size_t i = 1; i <= na; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= nb; j++) {
            size_t best = diagonal + (a[i - 1] != b[j - 1]);

            diagonal = row[j];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[nb];
}

const char *config_nearest(const char *word, const char *const *words, size_t n)
{
    size_t best = 1 + strlen(word) / 3; /* further off nobody meant it */
    const char *found = NULL;

    for (size_t i = 0; i < n; i++) {
        size_t d = distance(word, words[i]);

        if (d <= best && (found == NULL || d < best)) {
            best = d;
            found = words[i];
        }
    }
    return found;
}

static bool is_word(const char *s)
{
    return s[0] != '\0' && strlen(s) <= MAX_WORD &&
           s[strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_-")] == '\0';
}

/* Cut spaces off both ends, in place. */
static char *trim(char *s)
{
    char *end;

    while (*s == ' ' || *s == '\t')
        s++;
    end = s + strlen(s);
    while (end > s && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    *end = '\0';
    return s;
}

static void on_section(struct parser *ps, char *s)
{
    const char *names[CONFIG_MAX_OPTIONS], *near;
    char hint[160] = "";
    size_t n = 0, len = strlen(s);

    ps->section_known = false;
    if (s[len - 1] != ']') {
        complain(ps, "write it as [name]", "a section is not closed");
        return;
    }
    s[len - 1] = '\0';
    s = trim(s + 1);
    if (!is_word(s)) {
        complain(ps, "write it as [name]", "not the name of a section: '%.40s'", s);
        return;
    }
    for (size_t i = 0; i < ps->schema->n; i++) {
        names[n++] = ps->schema->options[i].section;
        ps->section_known |= strcmp(ps->schema->options[i].section, s) == 0;
    }
    (void)snprintf(ps->section, sizeof(ps->section), "%s", s);
    if (ps->section_known)
        return;
    near = config_nearest(s, names, n);
    if (near != NULL)
        (void)snprintf(hint, sizeof(hint), "did you mean [%s]?", near);
    complain(ps, hint, "unknown section [%s]", s);
}

static const struct config_option *find(const struct config_schema *schema, const char *section,
                                        const char *name)
{
    for (size_t i = 0; i < schema->n; i++)
        if (strcmp(schema->options[i].name, name) == 0 &&
            (section == NULL || strcmp(schema->options[i].section, section) == 0))
            return &schema->options[i];
    return NULL;
}

static void unknown_key(struct parser *ps, const char *key)
{
    const struct config_option *elsewhere = find(ps->schema, NULL, key);
    const char *names[CONFIG_MAX_OPTIONS] = {NULL}, *near;
    char hint[160] = "";
    size_t n = 0;

    for (size_t i = 0; i < ps->schema->n; i++)
        if (strcmp(ps->schema->options[i].section, ps->section) == 0)
            names[n++] = ps->schema->options[i].name;
    near = config_nearest(key, names, n);
    if (elsewhere != NULL)
        (void)snprintf(hint, sizeof(hint), "it belongs into [%s]", elsewhere->section);
    else if (near != NULL)
        (void)snprintf(hint, sizeof(hint), "did you mean '%s'?", near);
    if (ps->section[0] == '\0')
        complain(ps, hint, "key '%.63s' stands before any [section]", key);
    else
        complain(ps, hint, "unknown key '%.63s' in [%s]", key, ps->section);
}

static void on_pair(struct parser *ps, char *line)
{
    struct config_problem problem = {0};
    const struct config_option *opt;
    char *eq = strchr(line, '='), *key, *value;
    size_t at;
    int rc;

    if (eq == NULL) {
        complain(ps, "write it as: key = value", "neither a section nor a setting: '%.40s'", line);
        return;
    }
    *eq = '\0';
    key = trim(line);
    value = trim(eq + 1);
    if (ps->section[0] != '\0' && !ps->section_known)
        return; /* said once, at the section */
    opt = find(ps->schema, ps->section, key);
    if (opt == NULL) {
        unknown_key(ps, key);
        return;
    }
    at = (size_t)(opt - ps->schema->options);
    if (ps->rep->lines[at] != 0) {
        complain(ps, "keep one of them", "'%s' stands here again, first on line %u", key,
                 ps->rep->lines[at]);
        return;
    }
    ps->rep->lines[at] = ps->line;
    rc = config_value_set(opt, value, ps->values, &problem);
    ps->rep->faulty[at] = rc != ERR_OK;
    if (rc == ERR_INVALID)
        complain(ps, problem.hint, "%s", problem.msg);
    ps->out_of_memory |= rc == ERR_NOMEM;
}

static void on_line(struct parser *ps, const char *text, size_t len)
{
    char line[CONFIG_MAX_LINE + 1], *s;

    ps->line++;
    if (len > 0 && text[len - 1] == '\r')
        len--;
    if (len > CONFIG_MAX_LINE) {
        complain(ps, NULL, "the line is longer than %d bytes", CONFIG_MAX_LINE);
        return;
    }
    for (size_t i = 0; i < len; i++)
        if (((unsigned char)text[i] < 0x20 && text[i] != '\t') || text[i] == 0x7f) {
            complain(ps, NULL, "the line has a control character");
            return;
        }
    memcpy(line, text, len);
    line[len] = '\0';
    s = trim(line);
    if (*s == '\0' || *s == '#' || *s == ';')
        return;
    if (*s == '[')
        on_section(ps, s);
    else
        on_pair(ps, s);
}

/* Options that did not come get their default, or a complaint. */
static void fill_in(struct parser *ps)
{
    ps->line = 0;
    for (size_t i = 0; i < ps->schema->n; i++) {
        const struct config_option *opt = &ps->schema->options[i];
        struct config_problem problem = {0};
        int rc = ERR_OK;

        if (ps->rep->lines[i] != 0 && !ps->rep->faulty[i])
            continue;
        ps->rep->faulty[i] |= opt->required;
        if (opt->required && ps->rep->lines[i] == 0)
            complain(ps, opt->help, "'%s' is missing in [%s]", opt->name, opt->section);
        else if (!opt->required && opt->fallback != NULL)
            rc = config_value_set(opt, opt->fallback, ps->values, &problem);
        if (rc == ERR_INVALID)
            complain(ps, problem.hint, "default of '%s': %s", opt->name, problem.msg);
        ps->out_of_memory |= rc == ERR_NOMEM;
    }
}

int config_parse(const struct config_schema *schema, const char *text, size_t len, void *ret_values,
                 struct config_report *rep)
{
    struct parser ps = {.schema = schema, .values = ret_values, .rep = rep};

    memset(rep, 0, sizeof(*rep));
    memset(ret_values, 0, schema->size);
    if (schema->n > CONFIG_MAX_OPTIONS || len > CONFIG_MAX_FILE) {
        config_complain(rep, 0, "the file is too large", NULL);
        return ERR_INVALID;
    }
    while (len > 0) {
        const char *nl = memchr(text, '\n', len);
        size_t n = nl != NULL ? (size_t)(nl - text) : len;

        on_line(&ps, text, n);
        n += nl != NULL;
        text += n;
        len -= n;
    }
    fill_in(&ps);
    if (schema->check != NULL && !ps.out_of_memory)
        schema->check(ret_values, rep);
    if (rep->total == 0 && !ps.out_of_memory)
        return ERR_OK;
    config_free(schema, ret_values);
    return ps.out_of_memory ? ERR_NOMEM : ERR_INVALID;
}

int config_read(const struct config_schema *schema, const char *path, void *ret_values,
                struct config_report *rep, struct err *err)
{
    struct buf b = {0};
    int rc;

    memset(rep, 0, sizeof(*rep));
    rc = fs_read(path, CONFIG_MAX_FILE, &b, err);
    if (rc == ERR_OK) {
        rc = config_parse(schema, (const char *)b.data, b.len, ret_values, rep);
        if (rc == ERR_NOMEM)
            (void)err_set(err, rc, "no memory to read '%s'", path);
        if (rc == ERR_INVALID) {
            if (rep->items[0].line > 0)
                (void)err_set(err, rc, "%s:%u: %s", path, rep->items[0].line, rep->items[0].msg);
            else
                (void)err_set(err, rc, "%s: %s", path, rep->items[0].msg);
            err_hint(err, "%s", rep->items[0].hint);
        }
    }
    buf_free(&b);
    return rc;
}

static void put_text(struct buf *out, const char *s)
{
    buf_put(out, s, strlen(s));
}

static void explain_option(const struct config_option *opt, struct buf *out)
{
    put_text(out, "\n# ");
    put_text(out, opt->help);
    if (opt->type != CONFIG_STRING && opt->type != CONFIG_LIST) {
        put_text(out, " (");
        config_value_range(opt, out);
        put_text(out, ")");
    }
    put_text(out, "\n");
}

static bool is_default(const struct config_option *opt, const struct buf *value)
{
    struct buf b = {0};
    struct config_problem problem = {0};
    union {
        char *string;
        bool flag;
        uint64_t number;
        unsigned word;
        struct config_list list;
    } field = {0};
    struct config_option at_zero = *opt;
    bool same = false;

    at_zero.offset = 0;
    if (opt->fallback == NULL || opt->required)
        return false;
    if (config_value_set(&at_zero, opt->fallback, &field, &problem) == ERR_OK &&
        config_value_put(&at_zero, &field, &b))
        same = !b.failed && b.len == value->len &&
               (b.len == 0 || memcmp(b.data, value->data, b.len) == 0);
    config_value_free(&at_zero, &field);
    buf_free(&b);
    return same;
}

int config_dump(const struct config_schema *schema, const void *values, bool explain,
                struct buf *out, struct err *err)
{
    const char *section = "";
    struct buf value = {0};

    for (size_t i = 0; i < schema->n; i++) {
        const struct config_option *opt = &schema->options[i];
        bool set;

        if (strcmp(section, opt->section) != 0) {
            section = opt->section;
            put_text(out, i > 0 ? "\n[" : "[");
            put_text(out, section);
            put_text(out, "]\n");
        }
        buf_reset(&value);
        set = config_value_put(opt, values, &value);
        if (!set && !explain)
            continue;
        if (explain)
            explain_option(opt, out);
        if (!set || (explain && is_default(opt, &value)))
            put_text(out, "#");
        put_text(out, opt->name);
        put_text(out, " = ");
        buf_put(out, value.data, value.len);
        put_text(out, "\n");
        out->failed |= value.failed;
    }
    buf_free(&value);
    return buf_check(out, err);
}

void config_changed(const struct config_schema *schema, const void *before, const void *after,
                    struct buf *out)
{
    struct buf a = {0}, b = {0};
    size_t start = out->len;

    for (size_t i = 0; i < schema->n; i++) {
        bool had, has;

        buf_reset(&a);
        buf_reset(&b);
        had = config_value_put(&schema->options[i], before, &a);
        has = config_value_put(&schema->options[i], after, &b);
        out->failed |= a.failed || b.failed;
        if (had == has && a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0))
            continue;
        if (out->len > start)
            put_text(out, ",");
        put_text(out, schema->options[i].name);
    }
    buf_free(&a);
    buf_free(&b);
}

void config_free(const struct config_schema *schema, void *values)
{
    for (size_t i = 0; i < schema->n; i++)
        config_value_free(&schema->options[i], values);
    memset(values, 0, schema->size);
}
