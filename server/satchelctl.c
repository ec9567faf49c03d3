/* SPDX-License-Identifier: Apache-2.0 */
/* satchelctl: the operator's side of the daemon's socket (ctl.h). */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>

#include "common/config.h"
#include "common/err.h"
#include "common/fs.h"
#include "server/ctl_show.h"

enum { EXIT_USAGE = 2, LINE_MAX_BYTES = 1024, ARGS_MAX = 8, WAIT_S = 60 };

#define DEFAULT_SOCKET "/var/lib/satcheld/satcheld.sock"

/* Turn a verb's arguments into the daemon's line; ERR_INVALID: usage. */
typedef int compose_fn(int argc, char *argv[], char *line, size_t size, struct err *err);

struct verb {
    const char *words[2]; /* the second may be NULL */
    const char *usage, *help;
    compose_fn *compose; /* NULL: the words and the arguments as they are */
    int args;            /* then so many */
    const char *list;    /* name of the items in the result, NULL: it has none */
    ctl_show_fn *show;
};

/* ---- composing ---- */

/* A number with a unit, as the settings file has it. */
static int read_value(const char *text, enum config_type type, uint64_t max, uint64_t *ret,
                      struct err *err)
{
    struct config_option opt = {.name = "value", .type = type, .min = 0, .max = max};
    struct config_schema schema = {&opt, 1, sizeof(*ret), NULL};
    char file[128];
    struct config_report rep;
    int rc;

    opt.section = "x";
    opt.help = "";
    if ((size_t)snprintf(file, sizeof(file), "[x]\nvalue = %s\n", text) >= sizeof(file))
        return err_set(err, ERR_INVALID, "'%.40s...' is too long", text);
    rc = config_parse(&schema, file, strlen(file), ret, &rep);
    if (rc == ERR_OK)
        return ERR_OK;
    (void)err_set(err, ERR_INVALID, "not a %s: '%s'",
                  type == CONFIG_SIZE       ? "size"
                  : type == CONFIG_DURATION ? "duration"
                                            : "number",
                  text);
    err_hint(err, "%s", rep.items[0].hint);
    return ERR_INVALID;
}

static int compose_quota(int argc, char *argv[], char *line, size_t size, struct err *err)
{
    uint64_t bytes = 0;
    int rc;

    if (argc != 2)
        return err_set(err, ERR_INVALID, "quota needs NAME and SIZE");
    rc = read_value(argv[1], CONFIG_SIZE, 1ULL << 50, &bytes, err);
    if (rc == ERR_OK)
        (void)snprintf(line, size, "quota %s %" PRIu64, argv[0], bytes);
    return rc;
}

static int compose_invite(int argc, char *argv[], char *line, size_t size, struct err *err)
{
    uint64_t uses = 1, lifetime = 7ULL * 86400 * 1000;
    int rc = ERR_OK;

    for (int i = 0; rc == ERR_OK && i < argc; i += 2) {
        bool is_uses = strcmp(argv[i], "--uses") == 0;

        if (!is_uses && strcmp(argv[i], "--expires") != 0)
            return argv[i][0] == '-'
                       ? err_set(err, ERR_INVALID, "unknown option '%.40s'", argv[i])
                       : err_set(err, ERR_INVALID, "invite create: too many arguments");
        if (i + 1 >= argc)
            return err_set(err, ERR_INVALID, "%s needs an argument", argv[i]);
        rc = is_uses
                 ? read_value(argv[i + 1], CONFIG_INT, 1000000, &uses, err)
                 : read_value(argv[i + 1], CONFIG_DURATION, 3660ULL * 86400 * 1000, &lifetime, err);
    }
    if (rc == ERR_OK && (uses == 0 || lifetime == 0))
        rc = err_set(err, ERR_INVALID, "an invitation needs a use and a lifetime");
    if (rc == ERR_OK)
        (void)snprintf(line, size, "invite create %" PRIu64 " %" PRIu64, uses, lifetime);
    return rc;
}

static const struct verb verbs[] = {
    {{"status", NULL}, "", "what the daemon does", NULL, 0, NULL, ctl_show_status},
    {{"users", NULL}, "", "all users", NULL, 0, "users", ctl_show_users},
    {{"user", "show"}, "NAME", "one user", NULL, 1, NULL, ctl_show_user},
    {{"user", "suspend"}, "NAME", "refuse logins, end connections", NULL, 1, NULL, ctl_show_done},
    {{"user", "resume"}, "NAME", "allow them again", NULL, 1, NULL, ctl_show_done},
    {{"quota", NULL}, "NAME SIZE", "set a mailbox's size", compose_quota, 0, NULL, ctl_show_done},
    {{"invite", "create"},
     "[--uses N] [--expires 7d]",
     "make an invitation",
     compose_invite,
     0,
     NULL,
     ctl_show_invite},
    {{"invite", "list"}, "", "invitations that were made", NULL, 0, "invites", ctl_show_invites},
    {{"verify", NULL},
     "",
     "read and check every transfer and piece",
     NULL,
     0,
     "faults",
     ctl_show_verify},
    {{"instance", "list"},
     "",
     "key networks, and how many slots need each",
     NULL,
     0,
     "instances",
     ctl_show_instances},
    {{"instance", "rotate"},
     "",
     "use the key network that satcheld train has made",
     NULL,
     0,
     NULL,
     ctl_show_rotated},
    {{"clock", "confirm"},
     "",
     "the clock is right, although it has jumped",
     NULL,
     0,
     NULL,
     ctl_show_done},
    {{"reload", NULL}, "", "read the settings again", NULL, 0, NULL, ctl_show_reload},
    {{"drain", NULL}, "", "finish what is under way and stop", NULL, 0, NULL, ctl_show_done},
};
enum { VERBS = sizeof(verbs) / sizeof(verbs[0]) };

static void print_verb(FILE *f, const struct verb *v)
{
    fprintf(f, "  %s%s%s %s\n        %s\n", v->words[0], v->words[1] != NULL ? " " : "",
            v->words[1] != NULL ? v->words[1] : "", v->usage, v->help);
}

static void usage(FILE *f)
{
    fprintf(f, "usage: satchelctl [--socket PATH] [--json] VERB [--json]\n");
    for (size_t i = 0; i < VERBS; i++)
        print_verb(f, &verbs[i]);
    fprintf(f, "  --version | --help\n");
}

static bool asks_help(int argc, char *argv[])
{
    for (int i = 0; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    return false;
}

/*
 * Print the verbs that begin as what was given; those of the first word alone if the second is none
 * of theirs.  False: there is none.
 */
static bool help_on(int argc, char *argv[])
{
    bool narrow = false, found = false;

    for (size_t i = 0; argc > 1 && i < VERBS; i++)
        narrow |= verbs[i].words[1] != NULL && strcmp(argv[0], verbs[i].words[0]) == 0 &&
                  strcmp(argv[1], verbs[i].words[1]) == 0;
    for (size_t i = 0; i < VERBS; i++) {
        if (strcmp(argv[0], verbs[i].words[0]) != 0 ||
            (narrow && strcmp(argv[1], verbs[i].words[1]) != 0))
            continue;
        if (!found)
            printf("usage: satchelctl [--socket PATH] [--json]\n");
        print_verb(stdout, &verbs[i]);
        found = true;
    }
    return found;
}

static const struct verb *find_verb(int argc, char *argv[], int *ret_used)
{
    for (size_t i = 0; i < VERBS; i++) {
        int need = verbs[i].words[1] != NULL ? 2 : 1;

        if (argc < need || strcmp(argv[0], verbs[i].words[0]) != 0 ||
            (need == 2 && strcmp(argv[1], verbs[i].words[1]) != 0))
            continue;
        *ret_used = need;
        return &verbs[i];
    }
    return NULL;
}

/* The daemon's line of a verb whose words and arguments are passed on. */
static int compose_words(const struct verb *v, int argc, char *argv[], char *line, size_t size,
                         struct err *err)
{
    size_t n = (size_t)snprintf(line, size, "%s%s%s", v->words[0], v->words[1] != NULL ? " " : "",
                                v->words[1] != NULL ? v->words[1] : "");

    if (argc != v->args)
        return err_set(err, ERR_INVALID, "%s needs: %s", v->words[0],
                       v->usage[0] != '\0' ? v->usage : "no arguments");
    for (int i = 0; i < argc; i++) {
        if (argv[i][0] == '\0' || strpbrk(argv[i], " \n") != NULL)
            return err_set(err, ERR_INVALID, "not a name: '%s'", argv[i]);
        if (n < size)
            n += (size_t)snprintf(line + n, size - n, " %s", argv[i]);
    }
    return n < size ? ERR_OK : err_set(err, ERR_INVALID, "the arguments are too long");
}

/* ---- talking ---- */

static int connect_to(const char *path, int *ret_fd, struct err *err)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    struct timeval wait = {.tv_sec = WAIT_S};
    int fd, rc = ERR_OK, why = 0;

    if (strlen(path) >= sizeof(to.sun_path)) {
        /* Too long for a socket's name: go through its folder. */
        char *copy = strdup(path), *slash = copy != NULL ? strrchr(copy, '/') : NULL;
        int dir = -1;

        if (slash != NULL) {
            *slash = '\0';
            dir = open(copy, O_PATH | O_DIRECTORY);
            (void)snprintf(to.sun_path, sizeof(to.sun_path), "/proc/self/fd/%d/%.60s", dir,
                           slash + 1);
        }
        free(copy);
    } else {
        memcpy(to.sun_path, path, strlen(path));
    }
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&to, sizeof(to)) != 0)
        rc = err_sys(err, why = errno, "cannot reach the daemon at '%s'", path);
    else
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
    if (rc == ERR_OK) {
        *ret_fd = fd;
        return ERR_OK;
    }
    err_hint(err, "%s",
             why == EACCES ? "run it as root or as the daemon's user"
                           : "is satcheld running? --socket names DIR/satcheld.sock");
    if (fd >= 0)
        close(fd);
    return rc;
}

/* The answer so far. */
struct answer {
    const struct verb *verb;
    bool json;
    json_t *items, *result, *error;
};

static void on_line(struct answer *a, const char *text)
{
    json_t *line = json_loads(text, 0, NULL), *part;

    if (line == NULL)
        return;
    if ((part = json_object_get(line, "item")) != NULL)
        (void)json_array_append(a->items, part);
    else if ((part = json_object_get(line, "result")) != NULL)
        a->result = json_incref(part);
    else if ((part = json_object_get(line, "error")) != NULL)
        a->error = json_incref(part);
    else if (a->json)
        printf("%s\n", text);
    json_decref(line);
}

static int read_answer(int fd, struct answer *a, struct err *err)
{
    FILE *f = fdopen(fd, "r");
    char *text = NULL;
    size_t size = 0;
    ssize_t n;

    if (f == NULL) {
        close(fd);
        return err_sys(err, errno, "cannot read the answer");
    }
    while (a->result == NULL && a->error == NULL && (n = getline(&text, &size, f)) > 0) {
        if (text[n - 1] == '\n')
            text[n - 1] = '\0';
        on_line(a, text);
    }
    free(text);
    fclose(f);
    if (a->result == NULL && a->error == NULL)
        return err_set(err, ERR_IO, "the daemon ended the connection without an answer");
    return ERR_OK;
}

static int ask(const char *socket_path, const char *line, struct answer *a, struct err *err)
{
    int fd = -1, rc = connect_to(socket_path, &fd, err);

    if (rc != ERR_OK)
        return rc;
    rc = fs_write_all(fd, line, strlen(line), err);
    if (rc == ERR_OK)
        rc = fs_write_all(fd, "\n", 1, err);
    if (rc != ERR_OK) {
        close(fd);
        return rc;
    }
    return read_answer(fd, a, err);
}

/* ---- reporting ---- */

static int report(bool json, const char *code, const char *message, const char *hint)
{
    if (json) {
        json_t *line =
            json_pack("{s:{s:s,s:s,s:s}}", "error", "code", code, "message", message, "hint", hint);

        if (line != NULL)
            (void)json_dumpf(line, stdout, JSON_COMPACT);
        printf("\n");
        json_decref(line);
    } else {
        fprintf(stderr, "satchelctl: %s\n", message);
        if (hint[0] != '\0')
            fprintf(stderr, "hint: %s\n", hint);
    }
    return strcmp(code, err_name(ERR_INVALID)) == 0 ? EXIT_USAGE : EXIT_FAILURE;
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *s = json_string_value(json_object_get(object, key));

    return s != NULL ? s : "";
}

/* The list takes the place of the daemon's count of it, which is kept beside: of faults not all are
 * listed. */
static void put_list(struct answer *a)
{
    json_t *count = json_object_get(a->result, a->verb->list);

    if (count != NULL)
        (void)json_object_set(a->result, CTL_SHOW_FOUND, count);
    (void)json_object_set(a->result, a->verb->list, a->items);
}

static int show(struct answer *a)
{
    if (a->error != NULL)
        return report(a->json, text_of(a->error, "code"), text_of(a->error, "message"),
                      text_of(a->error, "hint"));
    if (a->verb->list != NULL && json_is_object(a->result))
        put_list(a);
    if (!a->json)
        return a->verb->show(a->result);
    printf("{\"result\":");
    (void)json_dumpf(a->result, stdout, JSON_COMPACT);
    printf("}\n");
    return ctl_show_code(a->result);
}

/* What stands behind the verb without the --json that may be there: true, there was one. */
static bool take_json(int *argc, char *argv[])
{
    int kept = 0;

    for (int i = 0; i < *argc; i++)
        if (strcmp(argv[i], "--json") != 0)
            argv[kept++] = argv[i];
    if (kept == *argc)
        return false;
    *argc = kept;
    return true;
}

/* What may stand behind a word that is a verb only with another: "create or list"; "" for others.
 */
static void second_words(const char *first, char *ret, size_t size)
{
    size_t left = 0, used = 0;

    ret[0] = '\0';
    for (size_t i = 0; i < VERBS; i++)
        left += verbs[i].words[1] != NULL && strcmp(first, verbs[i].words[0]) == 0;
    for (size_t i = 0; i < VERBS && used < size; i++) {
        if (verbs[i].words[1] == NULL || strcmp(first, verbs[i].words[0]) != 0)
            continue;
        left--;
        used += (size_t)snprintf(ret + used, size - used, "%s%s", verbs[i].words[1],
                                 left > 1    ? ", "
                                 : left == 1 ? " or "
                                             : "");
    }
}

static int unknown_verb(bool json, const char *first)
{
    char seconds[128], message[256];

    second_words(first, seconds, sizeof(seconds));
    if (seconds[0] == '\0') {
        (void)snprintf(message, sizeof(message), "unknown verb '%.40s'", first);
        return report(json, "invalid", message, "satchelctl --help lists them");
    }
    (void)snprintf(message, sizeof(message), "behind '%.40s' stands %s", first, seconds);
    return report(json, "invalid", message, "'satchelctl VERB --help' tells more");
}

static int run(const char *socket_path, bool json, int argc, char *argv[])
{
    char line[LINE_MAX_BYTES];
    struct answer a = {.json = json};
    struct err err = {0};
    int used = 0, rc, code;

    if (asks_help(argc, argv) && help_on(argc, argv))
        return EXIT_SUCCESS;
    a.verb = find_verb(argc, argv, &used);
    if (a.verb == NULL)
        return unknown_verb(json, argv[0]);
    argc -= used;
    argv += used;
    rc = a.verb->compose != NULL ? a.verb->compose(argc, argv, line, sizeof(line), &err)
                                 : compose_words(a.verb, argc, argv, line, sizeof(line), &err);
    a.items = json_array();
    if (rc == ERR_OK)
        rc = ask(socket_path, line, &a, &err);
    code = rc == ERR_OK ? show(&a) : report(json, err_name(rc), err.msg, err.hint);
    json_decref(a.items);
    json_decref(a.result);
    json_decref(a.error);
    return code;
}

int main(int argc, char *argv[])
{
    const char *socket_path = DEFAULT_SOCKET;
    bool json = false;
    int i = 1;

    for (; i < argc && argv[i][0] == '-'; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            json = true;
        } else if (strcmp(argv[i], "--socket") == 0 && i + 1 < argc) {
            socket_path = argv[++i];
        } else if (strcmp(argv[i], "--version") == 0) {
            printf("satchelctl %s\n", SATCHEL_VERSION);
            return EXIT_SUCCESS;
        } else if (strcmp(argv[i], "--help") == 0) {
            usage(stdout);
            return EXIT_SUCCESS;
        } else {
            return report(json, "invalid", "unknown option", "satchelctl --help lists them");
        }
    }
    if (i == argc) {
        usage(stderr);
        return EXIT_USAGE;
    }
    argc -= i;
    argv += i;
    json |= take_json(&argc, argv);
    return run(socket_path, json, argc, argv);
}
