/* SPDX-License-Identifier: Apache-2.0 */
/* satchel register - a new user on a server, and the profile that goes with him. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client/cli/cli.h"
#include "client/cli/prompt.h"
#include "client/cli/ui.h"
#include "common/secret.h"

enum { ROW_WORDS = 4, COLUMN = 10 };

static struct {
    const char *server, *name, *email, *invite, *pin, *ca;
    int recovery_fd;
    bool no_passphrase;
} o = {.recovery_fd = -1};

static const struct opt opts[] = {
    {"server", 0, OPT_TEXT, &o.server, "HOST[:PORT]", "the server; port 7743 unless given"},
    {"name", 0, OPT_TEXT, &o.name, "NAME", "username: 1 to 32 of a-z 0-9 . _ -"},
    {"email", 0, OPT_TEXT, &o.email, "MAIL", "e-mail address by which others may find you"},
    {"invite", 0, OPT_TEXT, &o.invite, "CODE", "invitation, where the server asks for one"},
    {"pin", 0, OPT_TEXT, &o.pin, "HASH", "fingerprint of the server's key ('satcheld pin')"},
    {"ca", 0, OPT_TEXT, &o.ca, "FILE", "trust these authorities instead; 'system': the machine's"},
    {"no-passphrase", 0, OPT_FLAG, &o.no_passphrase, NULL,
     "for unattended machines: keys are as safe as the disk"},
    {"recovery-fd", 0, OPT_FD, &o.recovery_fd, "N",
     "write the recovery words to this file descriptor, not to the screen"},
    {0},
};

/* In numbered rows: what is copied by hand is soon a word short. */
static void print_words(const char *words)
{
    char row[128] = "";
    size_t used = 0;

    for (unsigned n = 1; *words != '\0'; n++) {
        size_t len = strcspn(words, " ");
        bool last = n % ROW_WORDS == 0 || words[len] == '\0';
        int put = snprintf(row + used, sizeof(row) - used, "  %2u %-*.*s", n, last ? 0 : COLUMN,
                           (int)len, words);

        used += put > 0 && (size_t)put < sizeof(row) - used ? (size_t)put : 0;
        words += len + (words[len] == ' ');
        if (last) {
            ui_line("%s", row);
            secret_wipe(row, sizeof(row));
            used = 0;
        }
    }
    ui_line("%s", "");
}

static int show_words(void *cookie, const char *words)
{
    (void)cookie;
    if (o.recovery_fd >= 0)
        return dprintf(o.recovery_fd, "%s\n", words) > 0 ? 0 : -1;
    if (ui_json()) {
        ui_event("recovery_words", json_pack("{s:s}", "words", words));
        return 0;
    }
    ui_line("Your recovery words. They are shown this once: whoever has them can take your\n"
            "identity over, you too when this machine is lost: 'satchel recover'. Write them\n"
            "down:\n");
    print_words(words);
    return 0;
}

static int run(struct cli *cli, int argc, char **argv, struct satchel_error *err)
{
    struct satchel_register_options ro = {
        .server = o.server,
        .pin = o.pin,
        .ca_file = o.ca,
        .username = o.name,
        .email = o.email,
        .invite = o.invite,
        .no_passphrase = o.no_passphrase,
        .cookie = cli,
        .ask = prompt_passphrase,
        .on_words = show_words,
    };
    struct satchel_registered r;
    int rc;

    (void)argc;
    (void)argv;
    if (o.server == NULL || o.name == NULL || o.email == NULL) {
        rc = cli_error(err, SATCHEL_E_INVALID, "register: --%s is missing",
                       o.server == NULL ? "server"
                       : o.name == NULL ? "name"
                                        : "email");
        cli_hint(err, "usage: satchel register %s", cmd_register.args);
        return rc;
    }
    if (o.pin != NULL && o.ca != NULL)
        return cli_error(err, SATCHEL_E_INVALID, "register: --pin and --ca exclude each other");
    rc = satchel_sync_register(cli->s, &ro, &r, err);
    if (rc != SATCHEL_OK)
        return rc;
    ui_result(json_pack("{s:s,s:s}", "user_id", r.user_id, "name", r.username));
    ui_line("registered %s as %s", r.username, r.user_id);
    ui_note("hint: others reach you as '%s'; compare safety numbers with 'satchel contacts verify'",
            r.username);
    return SATCHEL_OK;
}

const struct cli_cmd cmd_register = {
    .name = "register",
    .args = "--server HOST[:PORT] --name NAME --email MAIL [--invite CODE] [--pin HASH]",
    .summary = "register a new user on a server",
    .details = "Makes your keys on this machine, protected by a passphrase, and registers their\n"
               "public halves. The recovery words are shown once. After a lost connection the\n"
               "same command finishes what was begun.",
    .opts = opts,
    .min_args = 0,
    .max_args = 0,
    .needs = CLI_HANDLE,
    .run = run,
};
