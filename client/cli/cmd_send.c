/* SPDX-License-Identifier: Apache-2.0 */
/* satchel send - each file as a transfer of its own, to one or more people. */
#include <string.h>

#include "client/cli/cli.h"
#include "client/cli/media.h"
#include "client/cli/progress.h"
#include "client/cli/text.h"
#include "client/cli/ui.h"

static struct {
    struct opt_list to;
    const char *message, *name;
    uint64_t expires, limit_rate;
    uint32_t opens;
    bool no_padding, no_preview;
} o;

static const struct opt opts[] = {
    {"to", 't', OPT_LIST, &o.to, "WHO[,WHO...]", "contacts, user IDs or usernames"},
    {"message", 'm', OPT_TEXT, &o.message, "TEXT", "a message, encrypted with the file"},
    {"expires", 0, OPT_DURATION, &o.expires, "TIME", "how long it can be opened; 7d unless given"},
    {"opens", 0, OPT_COUNT, &o.opens, "N",
     "on how many devices each recipient can open it; any unless given"},
    {"name", 0, OPT_TEXT, &o.name, "NAME", "file name that recipients see"},
    {"limit-rate", 0, OPT_RATE, &o.limit_rate, "RATE",
     "bytes a second at most, such as 500K or 10M"},
    {"no-preview", 0, OPT_FLAG, &o.no_preview, NULL,
     "send no preview of a picture; PNG and JPEG have one"},
    {"no-padding", 0, OPT_FLAG, &o.no_padding, NULL, "let the server learn the exact size"},
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
    ui_line("%.12s  sent %s (%s) to %u %s, until %.10s", r->id,
            text_safe(r->name, name, sizeof(name)), text_size(r->size, size), r->recipients,
            r->recipients == 1 ? "person" : "people", text_time(r->expires, until));
}

static int send_one(struct cli *cli, const char *path, struct satchel_error *err)
{
    struct satchel_send_options so = {
        .path = path,
        .name = o.name,
        .to = o.to.items,
        .to_count = o.to.count,
        .message = o.message,
        .media_type = media_type_of(path),
        .lifetime = o.expires,
        .opens = o.opens,
        .no_padding = o.no_padding,
        .no_preview = o.no_preview,
        .limit_rate = o.limit_rate,
        .on_progress = progress_show,
    };
    struct satchel_sent r;
    int rc;

    if (strcmp(path, "-") == 0) {
        rc = cli_error(err, SATCHEL_E_UNSUPPORTED, "cannot send standard input yet");
        cli_hint(err, "write it to a file first");
        return rc;
    }
    progress_begin(path);
    rc = satchel_sync_send(cli->s, &so, &r, err);
    progress_clear();
    if (rc == SATCHEL_OK)
        report(&r);
    return rc;
}

static int run(struct cli *cli, int argc, char **argv, struct satchel_error *err)
{
    int first = SATCHEL_OK;

    if (o.to.count == 0) {
        int rc = cli_error(err, SATCHEL_E_INVALID, "send: --to is missing");

        cli_hint(err, "usage: satchel send %s", cmd_send.args);
        return rc;
    }
    if (o.name != NULL && argc > 1)
        return cli_error(err, SATCHEL_E_INVALID, "send: --name goes with one file, not %d", argc);
    for (int i = 0; i < argc && first != SATCHEL_E_CANCELED; i++) {
        struct satchel_error one;

        cli_keep_first(send_one(cli, argv[i], &one), &one, &first, err);
    }
    return first;
}

const struct cli_cmd cmd_send = {
    .name = "send",
    .args = "FILE... --to WHO[,WHO...] [--message TEXT] [--expires 7d] [--opens N]",
    .summary = "send files to people",
    .details =
        "Every file is a transfer of its own, encrypted on this machine. Recipients need not\n"
        "be online. --to may be repeated. A person seen for the first time is pinned and "
        "reported.\n"
        "The same command after an interruption goes on with what the server has.",
    .opts = opts,
    .min_args = 1,
    .max_args = -1,
    .needs = CLI_OPEN,
    .run = run,
};
