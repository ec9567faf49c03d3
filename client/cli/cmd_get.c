/* SPDX-License-Identifier: Apache-2.0 */
/* satchel get - receive transfers into files or standard output. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/cli/cli.h"
#include "client/cli/get_preview.h"
#include "client/cli/progress.h"
#include "client/cli/prompt.h"
#include "client/cli/text.h"
#include "client/cli/ui.h"
#include "common/fs.h"

static struct {
    const char *output;
    int otp_fd;
    uint64_t limit_rate;
    bool force, no_unpack, no_receipt;
} o = {.otp_fd = -1};

static const struct opt opts[] = {
    {"output", 'o', OPT_TEXT, &o.output, "PATH",
     "file, folder (exists, or ends in /), or - for standard output"},
    {"force", 'f', OPT_FLAG, &o.force, NULL, "overwrite an existing file"},
    {"no-unpack", 0, OPT_FLAG, &o.no_unpack, NULL, "of a folder: keep its tar archive as a file"},
    {"otp-fd", 0, OPT_FD, &o.otp_fd, "N",
     "read one-time passwords from this file descriptor, a line for each transfer that asks"},
    {"no-receipt", 0, OPT_FLAG, &o.no_receipt, NULL, "do not tell the sender that it was received"},
    {"limit-rate", 0, OPT_RATE, &o.limit_rate, "RATE",
     "bytes a second at most, such as 500K or 10M"},
    {0},
};

static bool is_folder(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* Decide what --output means; makes the folder that ends in '/'. */
static int aim(struct satchel_get_options *go, bool several, struct satchel_error *err)
{
    size_t len = o.output != NULL ? strlen(o.output) : 0;
    struct err e;

    go->fd = -1;
    if (o.output == NULL) {
        go->folder = ".";
    } else if (strcmp(o.output, "-") == 0) {
        if (ui_json())
            return cli_error(err, SATCHEL_E_INVALID,
                             "get: --json and -o - both want standard output");
        if (isatty(STDOUT_FILENO) != 0 && !o.force) {
            int rc = cli_error(err, SATCHEL_E_REFUSED,
                               "get: -o - would write a file's bytes to "
                               "the terminal");

            cli_hint(err, "send them into a pipe or a file, or use --force");
            return rc;
        }
        go->fd = STDOUT_FILENO;
    } else if (len > 0 && o.output[len - 1] == '/') {
        if (fs_mkdirs(o.output, 0777, &e) != ERR_OK)
            return cli_error(err, SATCHEL_E_IO, "%s", e.msg);
        go->folder = o.output;
    } else if (is_folder(o.output)) {
        go->folder = o.output;
    } else if (len == 0) {
        return cli_error(err, SATCHEL_E_INVALID, "get: --output needs a path, not ''");
    } else if (several) {
        int rc = cli_error(err, SATCHEL_E_INVALID, "get: several transfers need a folder, not '%s'",
                           o.output);

        cli_hint(err, "a path that ends in / is made a folder");
        return rc;
    } else {
        go->file = o.output;
        if (len > 4 && strcmp(o.output + len - 4, ".tar") == 0)
            go->keep_archive = true;
    }
    return SATCHEL_OK;
}

static long on_code(void *cookie, const struct satchel_transfer *t, char *buf, size_t size)
{
    char question[TEXT_SAFE + 64], name[TEXT_SAFE];

    (void)cookie;
    (void)snprintf(question, sizeof(question),
                   "One-time password for '%s': ", text_safe(t->name, name, sizeof(name)));
    return prompt_otp(o.otp_fd, question, buf, size);
}

/* A folder that is unpacked, standard output, or small: nothing is kept of a part of it. */
static bool begins_anew;
static bool unpacks; /* the first */
static char *words;  /* the sender's message, for --json; owned; NULL: none */

static void keep_words(const char *text)
{
    free(words);
    words = text != NULL && text[0] != '\0' ? strdup(text) : NULL;
}

static void on_transfer(void *cookie, const struct satchel_transfer *t)
{
    const struct satchel_get_options *go = cookie;

    unpacks = go->fd < 0 && t->folder && !go->keep_archive;
    begins_anew = go->fd >= 0 || unpacks || t->padded_size < CLI_KEPT_FROM;
    progress_begin(t->name);
    get_preview_begin(t);
    keep_words(t->opened ? t->message : NULL);
    if (t->opened && t->message != NULL && t->message[0] != '\0') {
        char *safe = text_message(t->message);

        ui_note("message from %s:\n%s", t->from, safe != NULL ? safe : "(out of memory)");
        free(safe);
    }
}

static void on_progress(void *cookie, const struct satchel_progress *p)
{
    get_preview_show();
    progress_show(cookie, p);
}

static void report(const struct satchel_got *r)
{
    char path[TEXT_SAFE], size[TEXT_SIZE], from[TEXT_SAFE];

    ui_result(json_pack("{s:s,s:o,s:I,s:o,s:s,s:b,s:b,s:o,s:I,s:I,s:b,s:s,s:o}", "id", r->id,
                        "path", ui_json_text(r->path), "size", (json_int_t)r->size, "from",
                        ui_json_text(r->from), "from_id", r->from_id, "verified", r->verified,
                        "from_verified", r->from_verified, "name", ui_json_text(r->name),
                        "got_pieces", (json_int_t)r->got_pieces, "kept_pieces",
                        (json_int_t)r->kept_pieces, "receipt", r->receipt_sent, "kind",
                        r->folder ? "folder" : "file", "message",
                        words != NULL ? ui_json_text(words) : json_null()));
    if (r->path[0] == '\0')
        ui_note("%.12s  received %s from %s", r->id, text_size(r->size, size),
                text_safe(r->from, from, sizeof(from)));
    else
        ui_line("%.12s  received %s (%s) from %s", r->id, text_safe(r->path, path, sizeof(path)),
                text_size(r->size, size), text_safe(r->from, from, sizeof(from)));
}

/* A one-time password is wrong, missing, or cannot be had. */
static void explain_factor(struct cli *cli, struct satchel_error *err)
{
    bool active;

    if (cli_factor(cli, &active) == SATCHEL_OK && !active)
        cli_hint(err, "'satchel factor totp enrol' makes one; then run the same command again");
    else if (o.otp_fd < 0 && !prompt_possible())
        cli_hint(err, "without a terminal --otp-fd N gives the code");
}

/* Which one of several it is, where a code could have come from, how an interrupted one goes on. */
static void explain(struct cli *cli, const char *id, bool several, struct satchel_error *err)
{
    char message[sizeof(err->message)];

    if (err->code == SATCHEL_E_CANCELED && err->hint[0] == '\0' && unpacks)
        cli_hint(err,
                 "run the same command again%s: it begins anew; the archive can be had in "
                 "several goes, with 'satchel get %.12s -o NAME.tar --no-unpack'",
                 several ? " for those that are left" : "", id);
    else if (err->code == SATCHEL_E_CANCELED && err->hint[0] == '\0')
        cli_hint(err, "run the same command again%s: %s", several ? " for those that are left" : "",
                 begins_anew ? "it begins anew" : "it goes on with what is here, and checks it");
    if (err->code == SATCHEL_E_FACTOR && err->hint[0] == '\0')
        explain_factor(cli, err);
    if (!several || strstr(err->message, id) != NULL)
        return;
    (void)snprintf(message, sizeof(message), "transfer '%.32s': %.440s", id, err->message);
    memcpy(err->message, message, sizeof(message));
}

/* Before anything is fetched: what is no ID is perhaps the place where it should go. */
static int check_ids(int argc, char **argv, struct satchel_error *err)
{
    for (int i = 0; i < argc; i++)
        if (argv[i][0] == '\0' || argv[i][strspn(argv[i], "0123456789abcdefABCDEF")] != '\0') {
            int rc = cli_error(err, SATCHEL_E_INVALID,
                               "'%s' is not a transfer ID, or the beginning of one", argv[i]);

            cli_hint(err,
                     "'satchel inbox' shows the IDs; where a file is written to goes behind -o");
            return rc;
        }
    return SATCHEL_OK;
}

static int run(struct cli *cli, int argc, char **argv, struct satchel_error *err)
{
    struct satchel_get_options go = {.force = o.force,
                                     .keep_archive = o.no_unpack,
                                     .no_receipt = o.no_receipt,
                                     .limit_rate = o.limit_rate,
                                     .on_code = on_code,
                                     .on_progress = on_progress,
                                     .on_transfer = on_transfer};
    int rc = check_ids(argc, argv, err), first = SATCHEL_OK;

    if (rc == SATCHEL_OK)
        rc = aim(&go, argc > 1, err);
    go.cookie = &go;
    for (int i = 0; rc == SATCHEL_OK && i < argc && first != SATCHEL_E_CANCELED; i++) {
        struct satchel_error one;
        struct satchel_got r;
        int failed;

        go.id = argv[i];
        progress_begin(argv[i]);
        failed = satchel_sync_get(cli->s, &go, &r, &one);
        get_preview_end();
        progress_clear();
        if (failed == SATCHEL_OK)
            report(&r);
        else
            explain(cli, argv[i], argc > 1, &one);
        cli_keep_first(failed, &one, &first, err);
        keep_words(NULL);
    }
    return rc != SATCHEL_OK ? rc : first;
}

const struct cli_cmd cmd_get = {
    .name = "get",
    .args = "ID... [-o FILE|DIR|-] [--limit-rate RATE]",
    .summary = "receive a transfer",
    .details =
        "ID is any unique beginning of a transfer's ID. A file appears under its name only\n"
        "when all of it was checked. An existing file is not overwritten. A file that is\n"
        "interrupted leaves .NAME.satchel-part beside it; the same command goes on from there.\n"
        "A folder is unpacked, and begins anew; with --no-unpack or a FILE that ends in .tar its\n"
        "archive is kept, as a file is.",
    .ids = "'satchel inbox' shows",
    .opts = opts,
    .min_args = 1,
    .max_args = -1,
    .needs = CLI_OPEN,
    .run = run,
};
