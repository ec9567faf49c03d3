/* SPDX-License-Identifier: Apache-2.0 */
/* satcheld: the command line. */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/config.h"
#include "common/secret.h"
#include "server/verb.h"

enum { EXIT_USAGE = 2 };

/* An option: where its text goes. */
struct option {
    const char *name;
    size_t offset;
};

#define TEXT(name, member)                                                                         \
    {                                                                                              \
        name, offsetof(struct verb_opts, member)                                                   \
    }
static const struct option options[] = {
    TEXT("--data", data), TEXT("--config", config),           TEXT("--listen", listen),
    TEXT("--key", key),   TEXT("--certificate", certificate),
};

struct verb {
    const char *name; /* "" is the one without a name */
    const char *usage, *help;
    const char *allowed;  /* options, spaces around each */
    const char *required; /* of them */
    bool takes_file;
    int (*run)(const struct verb_opts *o, struct err *err);
};

static const struct verb verbs[] = {
    {"", "--config FILE", "serve in the foreground, log to standard error", " --config ",
     " --config ", false, verb_serve},
    {"init", "--data DIR [--config FILE] [--listen ADDR:PORT] [--certificate FILE --key FILE]",
     "make keys, certificate, key network, stores and settings",
     " --data --config --listen --certificate --key ", " --data ", false, verb_init},
    {"pin", "--config FILE [--next]",
     "print the fingerprint clients check, or of the certificate to come: 43 characters",
     " --config --next ", " --config ", false, verb_pin},
    {"check-config", "FILE", "name every problem of a settings file", " ", " ", true,
     verb_check_config},
    {"train", "--config FILE", "make the key network that satchelctl instance rotate puts in use",
     " --config ", " --config ", false, verb_train},
    {"shares", "--data DIR --raw --count N", "write N body shares from fresh seeds, 32 bytes each",
     " --data --raw --count ", " --data --raw --count ", false, verb_shares},
};
enum { VERBS = sizeof(verbs) / sizeof(verbs[0]) };

static void usage(FILE *f)
{
    fprintf(f, "usage:\n");
    for (size_t i = 0; i < VERBS; i++)
        fprintf(f, "  satcheld %s%s%s\n        %s\n", verbs[i].name,
                verbs[i].name[0] != '\0' ? " " : "", verbs[i].usage, verbs[i].help);
    fprintf(f, "  satcheld --version | --help\n");
}

static const struct verb *find_verb(const char *name)
{
    for (size_t i = 0; i < VERBS; i++)
        if (strcmp(verbs[i].name, name) == 0)
            return &verbs[i];
    return NULL;
}

/* Is ${name} one of the words in ${list}? */
static bool is_in(const char *list, const char *name)
{
    char word[40];
    int n = snprintf(word, sizeof(word), " %s ", name);

    return n > 0 && (size_t)n < sizeof(word) && strstr(list, word) != NULL;
}

static int read_count(const char *text, struct verb_opts *o, struct err *err)
{
    char *end = NULL;

    errno = 0;
    if (text[0] < '0' || text[0] > '9')
        return err_set(err, ERR_INVALID, "--count needs a number, not '%s'", text);
    o->count = strtoull(text, &end, 10);
    if (*end != '\0' || errno != 0)
        return err_set(err, ERR_INVALID, "--count needs a number, not '%s'", text);
    o->has_count = true;
    return ERR_OK;
}

struct arguments {
    int n;
    char **v;
    int at; /* the next one */
};

/* An option and its argument. */
static int read_option(const struct verb *v, struct arguments *a, struct verb_opts *o,
                       struct err *err)
{
    const char *name = a->v[a->at++], *value;

    if (!is_in(v->allowed, name))
        return err_set(err, ERR_INVALID, "unknown option '%s'", name);
    if (strcmp(name, "--raw") == 0) {
        o->raw = true;
        return ERR_OK;
    }
    if (strcmp(name, "--next") == 0) {
        o->next = true;
        return ERR_OK;
    }
    if (a->at >= a->n)
        return err_set(err, ERR_INVALID, "%s needs an argument", name);
    value = a->v[a->at++];
    if (strcmp(name, "--count") == 0)
        return read_count(value, o, err);
    for (size_t k = 0; k < sizeof(options) / sizeof(options[0]); k++)
        if (strcmp(options[k].name, name) == 0)
            *(const char **)(void *)((char *)o + options[k].offset) = value;
    return ERR_OK;
}

static int check_required(const struct verb *v, const struct verb_opts *o, struct err *err)
{
    if (v->takes_file && o->file == NULL)
        return err_set(err, ERR_INVALID, "the name of a file is missing");
    for (size_t k = 0; k < sizeof(options) / sizeof(options[0]); k++)
        if (is_in(v->required, options[k].name) &&
            *(const char *const *)(const void *)((const char *)o + options[k].offset) == NULL)
            return err_set(err, ERR_INVALID, "%s is missing", options[k].name);
    if (is_in(v->required, "--raw") && (!o->raw || !o->has_count))
        return err_set(err, ERR_INVALID, "--raw and --count are needed");
    if ((o->certificate == NULL) != (o->key == NULL))
        return err_set(err, ERR_INVALID, "--certificate and --key go together");
    return ERR_OK;
}

static int read_arguments(const struct verb *v, int argc, char *argv[], struct verb_opts *o,
                          struct err *err)
{
    struct arguments a = {.n = argc, .v = argv, .at = v->name[0] != '\0' ? 2 : 1};
    int rc = ERR_OK;

    while (rc == ERR_OK && a.at < a.n) {
        const char *word = a.v[a.at];

        if (word[0] == '-' && word[1] != '\0') {
            rc = read_option(v, &a, o, err);
            continue;
        }
        a.at++;
        if (v->takes_file && o->file == NULL)
            o->file = word;
        else
            rc = err_set(err, ERR_INVALID, "unexpected argument '%s'", word);
    }
    return rc == ERR_OK ? check_required(v, o, err) : rc;
}

/* Never silent: an error without words of its own has those of its code. */
static int report(const struct err *err, int code)
{
    fprintf(stderr, "satcheld: %s\n", err->msg[0] != '\0' ? err->msg : err_text(err->code));
    if (err->hint[0] != '\0')
        fprintf(stderr, "hint: %s\n", err->hint);
    return code;
}

static int unknown_verb(const char *name)
{
    const char *names[VERBS], *near;
    struct err err = {0};

    for (size_t i = 0; i < VERBS; i++)
        names[i] = verbs[i].name;
    (void)err_set(&err, ERR_INVALID, "unknown verb '%s'", name);
    near = config_nearest(name, names, VERBS);
    if (near != NULL && near[0] != '\0')
        err_hint(&err, "did you mean '%s'?", near);
    else
        err_hint(&err, "satcheld --help lists them");
    return report(&err, EXIT_USAGE);
}

int main(int argc, char *argv[])
{
    const struct verb *v;
    struct verb_opts o = {0};
    struct err err = {0};
    int rc;

    secret_guard_process();
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        printf("satcheld %s\n", SATCHEL_VERSION);
        return EXIT_SUCCESS;
    }
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        usage(stdout);
        return EXIT_SUCCESS;
    }
    if (argc < 2) {
        usage(stderr);
        return EXIT_USAGE;
    }
    v = find_verb(argv[1][0] == '-' ? "" : argv[1]);
    if (v == NULL)
        return unknown_verb(argv[1]);
    rc = read_arguments(v, argc, argv, &o, &err);
    if (rc != ERR_OK)
        return report(&err, EXIT_USAGE);
    rc = v->run(&o, &err);
    if (rc != ERR_OK)
        return report(&err, EXIT_FAILURE);
    return EXIT_SUCCESS;
}
