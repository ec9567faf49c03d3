/* SPDX-License-Identifier: Apache-2.0 */
/* satchel send - each file as a transfer of its own, to one or more people. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/cli/cli.h"
#include "client/cli/media.h"
#include "client/cli/progress.h"
#include "client/cli/text.h"
#include "client/cli/ui.h"
#include "client/cli/when.h"
#include "common/show.h"

/* What recipients see of standard input unless --name says otherwise. */
#define STDIN_NAME "standard-input"

static struct {
    struct opt_list to;
    const char *message, *name;
    struct when expires;
    uint64_t limit_rate;
    uint32_t opens;
    bool no_padding, no_preview, require_otp, abandon;
} o;

static const struct opt opts[] = {
    {"to", 't', OPT_LIST, &o.to, "WHO[,WHO...]",
     "contacts, groups, user IDs, usernames or e-mail addresses"},
    {"message", 'm', OPT_TEXT, &o.message, "TEXT", "a message, encrypted with the file"},
    {"expires", 0, OPT_END, &o.expires, "TIME",
     "how long it can be opened, as in 12h, or until when (UTC), as in 2026-12-24; 7d unless "
     "given"},
    {"opens", 0, OPT_COUNT, &o.opens, "N",
     "on how many devices each recipient can open it; any unless given"},
    {"name", 0, OPT_TEXT, &o.name, "NAME", "file name that recipients see"},
    {"require-otp", 0, OPT_FLAG, &o.require_otp, NULL,
     "recipients need a one-time password to open it ('satchel factor')"},
    {"limit-rate", 0, OPT_RATE, &o.limit_rate, "RATE",
     "bytes a second at most, such as 500K or 10M"},
    {"no-preview", 0, OPT_FLAG, &o.no_preview, NULL,
     "send no preview of a picture; PNG, JPEG and WebP have one"},
    {"no-padding", 0, OPT_FLAG, &o.no_padding, NULL, "let the server learn the exact size"},
    {"abandon", 0, OPT_FLAG, &o.abandon, NULL,
     "send nothing: give up what the same command, interrupted, has left here and at the server"},
    {0},
};

static void report(const struct satchel_sent *r)
{
    char name[TEXT_SAFE], size[TEXT_SIZE], until[TEXT_TIME];

    ui_result(json_pack("{s:s,s:I,s:I,s:I,s:I,s:o,s:o,s:o}", "id", r->id, "recipients",
                        (json_int_t)r->recipients, "size", (json_int_t)r->size, "sent_pieces",
                        (json_int_t)r->sent_pieces, "kept_pieces", (json_int_t)r->kept_pieces,
                        "name", ui_json_text(r->name), "created", ui_json_time(r->created),
                        "expires", ui_json_time(r->expires)));
    if (o.abandon) {
        ui_line("%.12s  gave up sending %s", r->id, text_safe(r->name, name, sizeof(name)));
        return;
    }
    ui_line("%.12s  sent %s (%s) to %u %s, until %s", r->id, text_safe(r->name, name, sizeof(name)),
            text_size(r->size, size), r->recipients, r->recipients == 1 ? "person" : "people",
            show_minute(r->expires, until));
}

/* ---- several at a time, told in order ------------------------------------------------- */

enum { AT_ONCE = 4 };

struct sending;

struct file {
    struct sending *all;
    const char *path;
    bool ended;
    int code;
    struct satchel_error err;
    struct satchel_sent sent;
};

struct sending {
    struct cli *cli;
    struct file *files;
    int n, begun, told, under_way;
    int first; /* the first failure */
    struct satchel_error *err;
};

static const char *label(const struct file *f)
{
    if (strcmp(f->path, "-") != 0)
        return f->path;
    return o.name != NULL ? o.name : STDIN_NAME;
}

/* One bar: of the file whose result comes next. */
static void on_progress(void *cookie, const struct satchel_progress *p)
{
    const struct file *f = cookie;

    if (f == &f->all->files[f->all->told])
        progress_show(NULL, p);
}

/* What went behind one that was interrupted: it must be known, or it would be sent again. */
static void tell_others(const struct sending *a)
{
    for (int i = a->told; i < a->n; i++)
        if (a->files[i].ended && a->files[i].code == SATCHEL_OK)
            report(&a->files[i].sent);
}

static void tell(struct sending *a)
{
    while (a->told < a->n && a->files[a->told].ended && a->first != SATCHEL_E_CANCELED) {
        struct file *f = &a->files[a->told++];

        progress_clear();
        if (f->code == SATCHEL_OK)
            report(&f->sent);
        else if (f->code == SATCHEL_E_CANCELED)
            tell_others(a);
        cli_keep_first(f->code, &f->err, &a->first, a->err);
        if (a->told < a->n)
            progress_begin(label(&a->files[a->told]));
    }
}

static void begin(struct sending *a);

static void end(struct file *f, int code)
{
    f->code = code;
    f->ended = true;
    tell(f->all);
}

/* What a later attempt cannot go on with: read once, from the front, or small; NULL: it can. */
static const char *begins_anew(const char *path)
{
    struct stat st;

    if (strcmp(path, "-") == 0)
        return "standard input";
    if (stat(path, &st) != 0)
        return NULL;
    if (S_ISREG(st.st_mode))
        return st.st_size < CLI_KEPT_FROM ? "a file below 1 MiB" : NULL;
    return S_ISDIR(st.st_mode) ? "a folder" : "what is no regular file";
}

/* Interrupted: what to do about it. */
static void explain(const struct file *f, struct satchel_error *err)
{
    const char *what = begins_anew(f->path);

    if (err->code != SATCHEL_E_CANCELED || err->hint[0] != '\0' || o.abandon)
        return;
    if (what != NULL)
        cli_hint(err, "nothing of %s is kept: it has to be sent anew", what);
    else
        cli_hint(err,
                 "run the same command again%s: it goes on with what the server has by now; or "
                 "with --abandon: that is given up",
                 f->all->n > 1 ? ", without the files that were sent" : "");
}

static void on_sent(void *cookie, const struct satchel_error *err, const struct satchel_sent *r)
{
    struct file *f = cookie;

    f->all->under_way--;
    if (err != NULL) {
        f->err = *err;
        explain(f, &f->err);
    } else {
        f->sent = *r;
    }
    end(f, err != NULL ? err->code : SATCHEL_OK);
    begin(f->all);
}

static int start(struct file *f)
{
    bool input = strcmp(f->path, "-") == 0;
    struct satchel_send_options so = {
        .path = input ? NULL : f->path,
        .fd = STDIN_FILENO,
        .name = input ? label(f) : o.name,
        .to = o.to.items,
        .to_count = o.to.count,
        .message = o.message,
        .media_type = media_type_of(label(f)),
        .lifetime = o.expires.span,
        .expires = o.expires.time,
        .opens = o.opens,
        .no_padding = o.no_padding,
        .no_preview = o.no_preview,
        .require_otp = o.require_otp,
        .abandon = o.abandon,
        .limit_rate = o.limit_rate,
        .cookie = f,
        .on_progress = on_progress,
        .done = on_sent,
    };

    return satchel_send_start(f->all->cli->s, &so, NULL, &f->err);
}

/* The first one goes alone: it settles who the recipients are. */
static void begin(struct sending *a)
{
    while (a->begun < a->n && a->first != SATCHEL_E_CANCELED &&
           a->under_way < (a->told > 0 ? AT_ONCE : 1)) {
        struct file *f = &a->files[a->begun++];
        int rc;

        a->under_way++;
        rc = start(f);
        if (rc == SATCHEL_OK)
            continue;
        a->under_way--;
        end(f, rc);
    }
}

static int run(struct cli *cli, int argc, char **argv, struct satchel_error *err)
{
    struct sending all = {.cli = cli, .n = argc, .err = err};
    int rc, inputs = 0;

    if (o.to.count == 0) {
        rc = cli_error(err, SATCHEL_E_INVALID, "send: --to is missing");
        cli_hint(err, "usage: satchel send %s", cmd_send.args);
        return rc;
    }
    for (int i = 0; i < argc; i++)
        inputs += strcmp(argv[i], "-") == 0;
    if (inputs > 1)
        return cli_error(err, SATCHEL_E_INVALID, "send: standard input can be sent once");
    if (o.name != NULL && argc > 1)
        return cli_error(err, SATCHEL_E_INVALID, "send: --name goes with one file, not %d", argc);
    all.files = calloc(argc > 0 ? (size_t)argc : 1, sizeof(*all.files)); /* it is never 0 */
    if (all.files == NULL)
        return cli_error(err, SATCHEL_E_NOMEM, "out of memory");
    for (int i = 0; i < argc; i++)
        all.files[i] = (struct file){.all = &all, .path = argv[i]};
    progress_begin(label(&all.files[0]));
    begin(&all);
    rc = satchel_sync_wait(cli->s, err);
    progress_clear();
    free(all.files);
    return rc != SATCHEL_OK ? rc : all.first;
}

const struct cli_cmd cmd_send = {
    .name = "send",
    .args = "FILE|DIR|- ... --to WHO[,WHO...] [--message TEXT] [--expires 7d] [--opens N]",
    .summary = "send files to people",
    .details =
        "Every file or folder is a transfer of its own, encrypted on this machine; - is standard\n"
        "input. Recipients need not be online. --to may be repeated. A person seen for the first\n"
        "time is pinned and reported.\n"
        "The same command after an interruption goes on with what the server has of a file,\n"
        "or gives that up with --abandon; a folder and standard input are sent anew.",
    .opts = opts,
    .min_args = 1,
    .max_args = -1,
    .needs = CLI_OPEN,
    .run = run,
};
