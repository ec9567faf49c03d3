/* SPDX-License-Identifier: Apache-2.0 */
/* satchel contacts - people, their pinned keys and safety numbers. */
#include <stdio.h>
#include <string.h>

#include "client/cli/cli.h"
#include "client/cli/prompt.h"
#include "client/cli/text.h"
#include "client/cli/ui.h"

static struct {
    const char *name, *number;
} o;

static const struct opt opts[] = {
    {"name", 0, OPT_TEXT, &o.name, "NAME", "add: your own name for this person"},
    {"number", 0, OPT_TEXT, &o.number, "DIGITS",
     "verify: the safety number the other side reads out"},
    {0},
};

static json_t *as_json(const struct satchel_contact *c)
{
    return json_pack("{s:o,s:o,s:s,s:s,s:b,s:I,s:o}", "name", ui_json_text(c->name), "username",
                     ui_json_text(c->username), "user_id", c->user_id, "safety", c->safety,
                     "verified", c->verified, "manifest", (json_int_t)c->sequence, "added",
                     ui_json_time(c->added));
}

static void print_contact(void *cookie, const struct satchel_contact *c)
{
    json_t *list = cookie;
    char name[TEXT_SAFE];

    (void)json_array_append_new(list, as_json(c));
    ui_line("%-20s %s  %s", text_safe(c->name, name, sizeof(name)), c->user_id,
            c->verified ? "verified" : "pinned");
}

static int run_list(struct cli *cli, char **argv, struct satchel_error *err)
{
    json_t *list = json_array();
    int rc = satchel_contact_list(cli->s, print_contact, list, err);

    (void)argv;
    if (rc == SATCHEL_OK && !ui_json() && json_array_size(list) == 0)
        ui_note("no contacts yet: 'satchel contacts add WHO'");
    if (rc == SATCHEL_OK)
        ui_result(json_pack("{s:O}", "contacts", list));
    json_decref(list);
    return rc;
}

static int run_add(struct cli *cli, char **argv, struct satchel_error *err)
{
    struct satchel_contact_add_options ao = {.who = argv[0], .name = o.name};
    char name[TEXT_SAFE];
    struct satchel_contact c;
    int rc = satchel_sync_contact_add(cli->s, &ao, &c, err);

    if (rc != SATCHEL_OK)
        return rc;
    ui_result(as_json(&c));
    ui_line("%s is %s\nsafety number: %s", text_safe(c.name, name, sizeof(name)), c.user_id,
            c.safety);
    if (!c.verified)
        ui_note("hint: compare the number with the other side, then 'satchel contacts verify %s'",
                argv[0]);
    return SATCHEL_OK;
}

static int run_verify(struct cli *cli, char **argv, struct satchel_error *err)
{
    struct satchel_contact c;
    int rc = satchel_contact_get(cli->s, argv[0], &c, err);

    if (rc != SATCHEL_OK)
        return rc;
    if (o.number == NULL) {
        ui_line("The safety number of you and %s is\n  %s", argv[0], c.safety);
        if (!prompt_yes("Does the other side see the same number? (yes/no) ")) {
            rc = cli_error(err, SATCHEL_E_REFUSED, "%s is not verified", argv[0]);
            cli_hint(err, "without a terminal: --number DIGITS as the other side reads them out");
            return rc;
        }
    }
    rc = satchel_contact_verify(cli->s, argv[0], o.number, err);
    if (rc == SATCHEL_OK)
        rc = satchel_contact_get(cli->s, argv[0], &c, err);
    if (rc != SATCHEL_OK)
        return rc;
    ui_result(as_json(&c));
    ui_line("%s is verified", argv[0]);
    return SATCHEL_OK;
}

static int run_remove(struct cli *cli, char **argv, struct satchel_error *err)
{
    int rc = satchel_contact_remove(cli->s, argv[0], err);

    if (rc != SATCHEL_OK)
        return rc;
    ui_result(json_pack("{s:s}", "removed", argv[0]));
    ui_line("%s is forgotten", argv[0]);
    return SATCHEL_OK;
}

static const struct {
    const char *name;
    int args;
    int (*run)(struct cli *cli, char **argv, struct satchel_error *err);
} verbs[] = {{"list", 0, run_list},
             {"add", 1, run_add},
             {"verify", 1, run_verify},
             {"remove", 1, run_remove}};

static int run(struct cli *cli, int argc, char **argv, struct satchel_error *err)
{
    const char *verb = argc > 0 ? argv[0] : "list";
    int rc;

    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
        if (strcmp(verbs[i].name, verb) == 0 && (argc == 0 || argc - 1 == verbs[i].args))
            return verbs[i].run(cli, argv + 1, err);
    rc = cli_error(err, SATCHEL_E_INVALID, "contacts: cannot make sense of '%s'", verb);
    cli_hint(err, "usage: satchel contacts %s", cmd_contacts.args);
    return rc;
}

const struct cli_cmd cmd_contacts = {
    .name = "contacts",
    .args = "[list | add WHO [--name NAME] | verify WHO [--number DIGITS] | remove WHO]",
    .summary = "people and their keys",
    .details =
        "WHO is a contact's name, a user ID, or a username. Keys are pinned when first seen;\n"
        "'verify' compares the safety number over another channel, a phone call for example.",
    .opts = opts,
    .min_args = 0,
    .max_args = 2,
    .needs = CLI_OPEN,
    .run = run,
};
