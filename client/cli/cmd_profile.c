/* SPDX-License-Identifier: Apache-2.0 */
/* satchel profile - the users on this machine: list them, choose one, remove one. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client/cli/cli.h"
#include "client/cli/prompt.h"
#include "client/cli/text.h"
#include "client/cli/ui.h"

static struct {
    const char *yes;
} o;

static const struct opt opts[] = {
    {"yes", 0, OPT_TEXT, &o.yes, "NAME",
     "reset: the profile's name, instead of being asked for it"},
    {0},
};

static const char *const states[] = {[SATCHEL_PROFILE_NONE] = "none",
                                     [SATCHEL_PROFILE_PENDING] = "pending",
                                     [SATCHEL_PROFILE_ACTIVE] = "active"};

/* ---- list ---- */

/* A folder that cannot be read has no state. */
static const char *state_of(const struct satchel_profile_info *p)
{
    return p->state == SATCHEL_PROFILE_NONE ? "damaged" : states[p->state];
}

static void print_profile(void *cookie, const struct satchel_profile_info *p)
{
    char safe[TEXT_SAFE];

    (void)json_array_append_new(
        cookie, json_pack("{s:s,s:s,s:s,s:o,s:o,s:o,s:b,s:b}", "name", p->name, "state",
                          state_of(p), "username", p->username, "user_id", ui_json_text(p->user_id),
                          "server", ui_json_text(p->server), "folder", ui_json_text(p->folder),
                          "passphrase", p->passphrase, "used", p->used));
    ui_line("%s %-16s %-8s %s%s%s", p->used ? "*" : " ", p->name, state_of(p), p->username,
            p->username[0] != '\0' ? " at " : "", text_safe(p->server, safe, sizeof(safe)));
}

static int run_list(struct cli *cli, struct satchel_error *err)
{
    json_t *list = json_array();
    int rc = satchel_profile_list(&cli->place, print_profile, list, err);

    if (rc == SATCHEL_OK && json_array_size(list) == 0)
        ui_note("no profile yet; 'satchel register' makes one");
    if (rc == SATCHEL_OK)
        ui_result(json_pack("{s:O}", "profiles", list));
    json_decref(list);
    return rc;
}

/* ---- use ---- */

static int run_use(const struct satchel_place *place, struct satchel_error *err)
{
    int rc = satchel_profile_use(place, err);

    if (rc != SATCHEL_OK)
        return rc;
    ui_result(json_pack("{s:s}", "used", place->profile));
    ui_line("'%s' is used where no other profile is named", place->profile);
    return SATCHEL_OK;
}

/* ---- reset ---- */

static int confirm(const struct satchel_profile_info *p, struct satchel_error *err)
{
    char question[256];
    enum prompt_said said;
    int rc;

    if (o.yes != NULL && strcmp(o.yes, p->name) == 0)
        return SATCHEL_OK;
    if (o.yes != NULL)
        return cli_error(err, SATCHEL_E_INVALID, "profile reset: --yes names '%s', not '%s'", o.yes,
                         p->name);
    if (p->username[0] != '\0')
        ui_note(
            "This removes the keys and contacts of %s from this machine. The account at %s stays:\n"
            "another device of yours leads back to it, or the 24 recovery words. Without both it "
            "is\n"
            "gone, with all mail that was not read.",
            p->username, p->server);
    (void)snprintf(question, sizeof(question),
                   "To remove it type the profile's name (%s): ", p->name);
    said = prompt_word(question, p->name);
    if (said == PROMPT_YES)
        return SATCHEL_OK;
    if (said == PROMPT_STOPPED)
        return cli_error(err, SATCHEL_E_CANCELED, "interrupted; nothing was removed");
    rc = cli_error(err, SATCHEL_E_REFUSED, "nothing was removed");
    cli_hint(err, "without a terminal: --yes %s", p->name);
    return rc;
}

static int run_reset(const struct satchel_place *place, struct satchel_error *err)
{
    struct satchel_profile_info p = {0};
    int rc = satchel_profile_look(place, &p, err);

    /* One that cannot be read has its name alone, and may go as well. */
    if (rc == SATCHEL_E_CORRUPT || rc == SATCHEL_E_UNSUPPORTED || rc == SATCHEL_E_NOTFOUND) {
        (void)snprintf(p.name, sizeof(p.name), "%s",
                       place->profile != NULL ? place->profile : "default");
        rc = SATCHEL_OK;
    }
    if (rc == SATCHEL_OK && (p.folder[0] == '\0' || access(p.folder, F_OK) == 0))
        rc = confirm(&p, err); /* nobody is asked about one that is not there */
    if (rc == SATCHEL_OK)
        rc = satchel_profile_reset(NULL, &(struct satchel_place){place->home, p.name}, err);
    if (rc != SATCHEL_OK)
        return rc;
    ui_result(json_pack("{s:s}", "removed", p.name));
    ui_line("profile '%s' is gone from this machine", p.name);
    return SATCHEL_OK;
}

static int run(struct cli *cli, int argc, char **argv, struct satchel_error *err)
{
    struct satchel_place place = cli->place;
    int rc;

    if (argc == 0 || (argc == 1 && strcmp(argv[0], "list") == 0))
        return run_list(cli, err);
    if (argc == 2)
        place.profile = argv[1];
    if (argc == 2 && strcmp(argv[0], "use") == 0)
        return run_use(&place, err);
    if (strcmp(argv[0], "reset") == 0)
        return run_reset(&place, err);
    rc = cli_error(err, SATCHEL_E_INVALID, "profile: cannot make sense of '%s'", argv[0]);
    cli_hint(err, "usage: satchel profile %s", cmd_profile.args);
    return rc;
}

const struct cli_cmd cmd_profile = {
    .name = "profile",
    .args = "[list | use NAME | reset [NAME]]",
    .summary = "the users on this machine",
    .details = "Each profile is a user of a server, in a folder of its own. --profile and\n"
               "$SATCHEL_PROFILE name one; 'use' says which one counts where neither does.\n"
               "'reset' removes one from this machine: the account at the server stays.",
    .opts = opts,
    .min_args = 0,
    .max_args = 2,
    .needs = 0,
    .run = run,
};
