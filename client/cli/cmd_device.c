/* SPDX-License-Identifier: Apache-2.0 */
/* satchel device - the machines that may act for us: list, let in, take out. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client/cli/cli.h"
#include "client/cli/progress.h"
#include "client/cli/prompt.h"
#include "client/cli/qr.h"
#include "client/cli/text.h"
#include "client/cli/ui.h"

enum { SHORT_ID = 12 };

static struct {
    const char *server, *pin, *ca, *name;
    uint64_t valid;
    int code_fd, otp_fd;
    bool last, yes, no_passphrase;
} o = {.code_fd = -1, .otp_fd = -1};

static bool stopped; /* at the question who is let in */

static const struct opt opts[] = {
    {"last", 0, OPT_FLAG, &o.last, NULL, "revoke: even the last device, without asking"},
    {"valid", 0, OPT_DURATION, &o.valid, "TIME", "add: how long the code counts; 10m unless given"},
    {"otp-fd", 0, OPT_FD, &o.otp_fd, "N",
     "add: read a one-time password from this file descriptor, a line for each try"},
    {"yes", 0, OPT_FLAG, &o.yes, NULL, "add: let in whoever has the code, without asking"},
    {"server", 0, OPT_TEXT, &o.server, "HOST[:PORT]", "join: the server, as 'add' shows it"},
    {"code-fd", 0, OPT_FD, &o.code_fd, "N", "join: read the code from this file descriptor"},
    {"pin", 0, OPT_TEXT, &o.pin, "HASH", "join: fingerprint of the server's key, if you know it"},
    {"ca", 0, OPT_TEXT, &o.ca, "FILE", "join: trust these authorities; 'system': the machine's"},
    {"name", 0, OPT_TEXT, &o.name, "NAME", "add, join: what to call this machine"},
    {"no-passphrase", 0, OPT_FLAG, &o.no_passphrase, NULL,
     "join: for unattended machines: keys are as safe as the disk"},
    {0},
};

static json_t *as_json(const struct satchel_device *d)
{
    json_t *revoked = d->revoked != 0 ? ui_json_time(d->revoked) : json_null();

    return json_pack("{s:s,s:o,s:o,s:o,s:b}", "id", d->id, "name", ui_json_text(d->name), "added",
                     ui_json_time(d->added), "revoked", revoked, "self", d->self);
}

/* "4b1f22c90a17 (laptop)" */
static const char *label(const char *id, const char *name, char *to, size_t size)
{
    char safe[TEXT_SAFE];

    if (name[0] != '\0')
        (void)snprintf(to, size, "%.*s (%s)", SHORT_ID, id, text_safe(name, safe, sizeof(safe)));
    else
        (void)snprintf(to, size, "%.*s", SHORT_ID, id);
    return to;
}

/* ---- list ---- */

static void print_device(void *cookie, const struct satchel_device *d)
{
    char added[TEXT_TIME], revoked[TEXT_TIME] = "", safe[TEXT_SAFE];

    (void)json_array_append_new(cookie, as_json(d));
    if (d->revoked != 0)
        (void)text_time(d->revoked, revoked);
    ui_line("%.*s  since %.10s%s%.10s%s%s%s", SHORT_ID, d->id, text_time(d->added, added),
            d->revoked != 0 ? "  revoked " : "", revoked, d->self ? "  this device" : "",
            d->name[0] != '\0' ? "  " : "", text_safe(d->name, safe, sizeof(safe)));
}

static int run_list(struct cli *cli, struct satchel_error *err)
{
    json_t *list = json_array();
    int rc = satchel_device_list(cli->s, print_device, list, err);

    if (rc == SATCHEL_OK)
        ui_result(json_pack("{s:O}", "devices", list));
    json_decref(list);
    return rc;
}

/* ---- revoke ---- */

struct look {
    const char *id;
    bool self;
};

static void look_at(void *cookie, const struct satchel_device *d)
{
    struct look *l = cookie;

    l->self |= d->self && strncmp(d->id, l->id, strlen(l->id)) == 0;
}

/* This machine shuts itself out: is it meant? */
static enum prompt_said means_self(struct cli *cli, const char *id)
{
    struct look l = {.id = id};
    bool asked = !o.last && prompt_possible() && !ui_json();

    if (satchel_device_list(cli->s, look_at, &l, NULL) != SATCHEL_OK || !l.self)
        return PROMPT_YES;
    ui_note("This is the device that you are on: it can do nothing for the account afterwards.");
    return asked ? prompt_yes("Revoke it all the same? (yes/no) ") : PROMPT_YES;
}

static int not_revoked(enum prompt_said said, struct satchel_error *err)
{
    return said == PROMPT_STOPPED
               ? cli_error(err, SATCHEL_E_CANCELED, "interrupted; nothing was revoked")
               : cli_error(err, SATCHEL_E_REFUSED, "nothing was revoked");
}

static int run_revoke(struct cli *cli, const char *id, struct satchel_error *err)
{
    struct satchel_device_revoke_options ro = {.id = id, .last_too = o.last};
    enum prompt_said said = means_self(cli, id);
    struct satchel_device d;
    int rc;

    if (said != PROMPT_YES)
        return not_revoked(said, err);
    rc = satchel_sync_device_revoke(cli->s, &ro, &d, err);
    if (rc == SATCHEL_E_REFUSED && !o.last && prompt_possible() && !ui_json()) {
        ui_note("This is your last device: only the recovery words lead back to the account.");
        said = prompt_yes("Revoke it all the same? (yes/no) ");
        if (said == PROMPT_STOPPED)
            return not_revoked(said, err);
        ro.last_too = said == PROMPT_YES;
        if (ro.last_too)
            rc = satchel_sync_device_revoke(cli->s, &ro, &d, err);
    }
    if (rc != SATCHEL_OK)
        return rc;
    ui_result(as_json(&d));
    ui_line("%.*s can do nothing any more for this account", SHORT_ID, d.id);
    return SATCHEL_OK;
}

/* ---- add ---- */

static void show_code(void *cookie, const struct satchel_join_code *c)
{
    bool terminal = isatty(STDOUT_FILENO) != 0;
    char until[TEXT_TIME], left[TEXT_SIZE];

    (void)cookie;
    ui_event("code", json_pack("{s:s,s:s,s:s,s:o}", "code", c->code, "uri", c->uri, "server",
                               c->server, "expires", ui_json_time(c->expires)));
    (void)text_time(c->expires, until);
    ui_line("On the new machine, within %s:\n\n  satchel device join --server %s%s%s\n\n"
            "It asks for this code, which lets one machine in: show it to nobody.\n\n  %s\n",
            text_span(c->expires - text_now(), left), c->server, c->ca != NULL ? " --ca " : "",
            c->ca != NULL ? c->ca : "", c->code);
    if (!ui_json() && terminal)
        (void)qr_draw(stdout, c->uri, true);
    (void)ui_finish();
}

static void show_wait(void *cookie, uint64_t ms)
{
    char text[64];

    (void)cookie;
    (void)snprintf(text, sizeof(text), "waiting for the new machine: %u:%02u left",
                   (unsigned)(ms / 60000), (unsigned)(ms / 1000 % 60));
    progress_wait(text);
}

/* Whoever has the code has come. */
static bool allow(void *cookie, const struct satchel_joiner *who)
{
    char text[TEXT_SAFE + 64];
    enum prompt_said said;

    (void)cookie;
    progress_clear();
    (void)label(who->id, who->name, text, sizeof(text));
    ui_event("joiner", json_pack("{s:s,s:o,s:s}", "device", who->id, "name",
                                 ui_json_text(who->name), "check", who->check));
    (void)ui_finish();
    ui_note("%s wants to join. It must show this number:\n\n    %s\n", text, who->check);
    if (o.yes)
        return true;
    said = prompt_yes("Let it in, to do all that this device can? (yes/no) ");
    stopped = said == PROMPT_STOPPED;
    return said == PROMPT_YES;
}

static long ask_otp(void *cookie, const struct satchel_joiner *who, char *buf, size_t size)
{
    char text[TEXT_SAFE + 64], question[TEXT_SAFE + 128];

    (void)cookie;
    progress_clear();
    ui_event("otp_needed",
             json_pack("{s:s,s:o}", "device", who->id, "name", ui_json_text(who->name)));
    (void)ui_finish();
    (void)snprintf(question, sizeof(question), "One-time password, to let %s in: ",
                   label(who->id, who->name, text, sizeof(text)));
    return prompt_otp(o.otp_fd, question, buf, size);
}

static int run_add(struct cli *cli, struct satchel_error *err)
{
    struct satchel_device_add_options ao = {.lifetime = o.valid,
                                            .name = o.name,
                                            .on_code = show_code,
                                            .on_wait = show_wait,
                                            .allow = allow,
                                            .ask_otp = ask_otp};
    char text[TEXT_SAFE + 64];
    struct satchel_device d;
    int rc;

    if (!o.yes && (ui_json() || !prompt_possible())) {
        rc = cli_error(err, SATCHEL_E_REFUSED, "nobody can be asked here who may join");
        cli_hint(err, "--yes lets in whoever has the code");
        return rc;
    }
    rc = satchel_sync_device_add(cli->s, &ao, &d, err);
    progress_clear();
    if (stopped) /* the new machine has heard a no */
        return cli_error(err, SATCHEL_E_CANCELED,
                         "interrupted; nobody was let in, and the code counts no more");
    if (rc == SATCHEL_E_EXPIRED)
        cli_hint(err, "the same command makes another code");
    if (rc != SATCHEL_OK)
        return rc;
    ui_result(as_json(&d));
    ui_line("%s is one of your devices now; it shows the same ID",
            label(d.id, d.name, text, sizeof(text)));
    return SATCHEL_OK;
}

/* ---- join ---- */

static long ask_code(void *cookie, bool fresh, char *buf, size_t size)
{
    int fd = o.code_fd >= 0 || prompt_possible() ? o.code_fd : STDIN_FILENO;

    (void)cookie;
    (void)fresh;
    return prompt_code(fd, "The code that the other device shows: ", buf,
                       size < SATCHEL_JOIN_CODE_MAX ? size : SATCHEL_JOIN_CODE_MAX);
}

static void show_turn(void *cookie, const char *check)
{
    static bool shown;

    (void)cookie;
    if (!shown && check != NULL) {
        ui_event("check", json_pack("{s:s}", "check", check));
        (void)ui_finish();
        ui_note("The other device asks whether to let this one in. It must show this number:\n\n"
                "    %s\n",
                check);
        shown = true;
    }
    progress_wait("waiting for the other device");
}

static int bring_contacts(struct cli *cli, struct satchel_restored *ret, struct satchel_error *err)
{
    struct satchel_restore_options ro = {0};
    int rc = satchel_sync_restore(cli->s, &ro, ret, err);

    if (rc != SATCHEL_OK)
        cli_hint(err, "this device has joined; 'satchel contacts restore' brings the contacts");
    return rc;
}

static int run_join(struct cli *cli, struct satchel_error *err)
{
    struct satchel_device_join_options jo = {.server = o.server,
                                             .pin = o.pin,
                                             .ca_file = o.ca,
                                             .name = o.name,
                                             .no_passphrase = o.no_passphrase,
                                             .cookie = cli,
                                             .ask = prompt_passphrase,
                                             .ask_code = ask_code,
                                             .on_wait = show_turn};
    char text[TEXT_SAFE + 64];
    struct satchel_restored contacts = {0};
    struct satchel_joined j;
    int rc;

    if (o.pin != NULL && o.ca != NULL)
        return cli_error(err, SATCHEL_E_INVALID, "device join: --pin and --ca exclude each other");
    /* What a person types names no server; the URI that a program gives may. */
    if (o.server == NULL && o.code_fd < 0 && prompt_possible()) {
        rc = cli_error(err, SATCHEL_E_INVALID, "device join: --server is missing");
        cli_hint(err, "'satchel device add' shows it, on a machine that is one of yours already");
        return rc;
    }
    rc = satchel_sync_device_join(cli->s, &jo, &j, err);
    progress_clear();
    if (rc != SATCHEL_OK)
        return rc;
    ui_line("you are %s here as well, %s\nthis device is %.*s; it was let in by %s", j.username,
            j.user_id, SHORT_ID, j.device, label(j.other_id, j.other, text, sizeof(text)));
    rc = bring_contacts(cli, &contacts, err);
    if (rc != SATCHEL_OK)
        return rc;
    ui_result(json_pack("{s:s,s:s,s:s,s:o,s:o,s:I,s:I,s:I,s:I}", "user_id", j.user_id, "name",
                        j.username, "device", j.device, "other_id", ui_json_text(j.other_id),
                        "other_name", ui_json_text(j.other), "keys", (json_int_t)j.keys, "contacts",
                        (json_int_t)contacts.contacts, "lost", (json_int_t)contacts.lost,
                        "lost_groups", (json_int_t)contacts.lost_groups));
    ui_line("%u contact%s came along", contacts.contacts, contacts.contacts == 1 ? "" : "s");
    return SATCHEL_OK;
}

/* ---- which ---- */

static int run_opened(struct cli *cli, int argc, char **argv, struct satchel_error *err)
{
    int rc = satchel_open(cli->s, prompt_passphrase, cli, err);

    if (rc != SATCHEL_OK)
        return rc;
    if (argc == 0 || strcmp(argv[0], "list") == 0)
        return run_list(cli, err);
    return strcmp(argv[0], "add") == 0 ? run_add(cli, err) : run_revoke(cli, argv[1], err);
}

static int run(struct cli *cli, int argc, char **argv, struct satchel_error *err)
{
    int rc;

    if (argc == 1 && strcmp(argv[0], "join") == 0)
        return run_join(cli, err);
    if (argc == 0 || (argc == 1 && (strcmp(argv[0], "list") == 0 || strcmp(argv[0], "add") == 0)) ||
        (argc == 2 && strcmp(argv[0], "revoke") == 0))
        return run_opened(cli, argc, argv, err);
    if (argc == 1 && strcmp(argv[0], "revoke") == 0) {
        rc = cli_error(err, SATCHEL_E_INVALID, "device revoke: ID is missing");
        cli_hint(err, "'satchel device list' shows the IDs; a beginning that is unique is enough");
        return rc;
    }
    if (argc == 2 && strcmp(argv[0], "join") == 0) {
        rc = cli_error(err, SATCHEL_E_INVALID, "device join: a code does not belong in a command");
        cli_hint(err, "others can read it there: type it when asked, or use --code-fd N");
        return rc;
    }
    rc = cli_error(err, SATCHEL_E_INVALID, "device: cannot make sense of '%s'", argv[0]);
    cli_hint(err, "usage: satchel device %s", cmd_device.args);
    return rc;
}

const struct cli_cmd cmd_device = {
    .name = "device",
    .args = "[list | add | join --server HOST[:PORT] | revoke ID]",
    .summary = "the machines that may act for you",
    .details =
        "'add' shows a code that lets one other machine in; 'join' is typed there, and asks for "
        "it.\nBoth show a number, and 'add' asks whether it is the same.\n"
        "That machine can do all that this one can, and reads what was sent to you before.\n"
        "A revoked device can neither log in nor get keys, and nobody accepts what it signs\n"
        "from then on, whatever the date. What others had sent you before stays readable here.",
    .opts = opts,
    .min_args = 0,
    .max_args = 2,
    .needs = CLI_HANDLE,
    .run = run,
};
