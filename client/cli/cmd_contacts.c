/* SPDX-License-Identifier: Apache-2.0 */
/* satchel contacts - people, their pinned keys and safety numbers. */
#include <stdio.h>
#include <string.h>

#include "client/cli/cli.h"
#include "client/cli/prompt.h"
#include "client/cli/text.h"
#include "client/cli/ui.h"

enum { NAME_COLUMNS = 20 }; /* of a list; longer names move what is behind them */

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
    return json_pack("{s:o,s:o,s:s,s:s,s:b,s:I,s:o,s:b,s:b}", "name", ui_json_text(c->name),
                     "username", ui_json_text(c->username), "user_id", c->user_id, "safety",
                     c->safety, "verified", c->verified, "manifest", (json_int_t)c->sequence,
                     "added", ui_json_time(c->added), "blocked", c->blocked, "key_changed",
                     c->key_changed);
}

static const char *state_of(const struct satchel_contact *c)
{
    return c->blocked       ? "blocked"
           : c->key_changed ? "key changed"
           : c->verified    ? "verified"
                            : "pinned";
}

static void print_contact(void *cookie, const struct satchel_contact *c)
{
    json_t *list = cookie;
    char name[TEXT_SAFE];
    size_t columns = text_columns(text_safe(c->name, name, sizeof(name)));

    (void)json_array_append_new(list, as_json(c));
    ui_line("%s%*s %s  %s", name, columns < NAME_COLUMNS ? (int)(NAME_COLUMNS - columns) : 0, "",
            c->user_id, state_of(c));
}

static int run_list(struct cli *cli, int argc, char **argv, struct satchel_error *err)
{
    json_t *list = json_array();
    int rc = satchel_contact_list(cli->s, print_contact, list, err);

    (void)argc;
    (void)argv;
    if (rc == SATCHEL_OK && !ui_json() && json_array_size(list) == 0)
        ui_note("no contacts yet: 'satchel contacts add WHO'");
    if (rc == SATCHEL_OK)
        ui_result(json_pack("{s:O}", "contacts", list));
    json_decref(list);
    return rc;
}

static int run_add(struct cli *cli, int argc, char **argv, struct satchel_error *err)
{
    struct satchel_contact_add_options ao = {.who = argv[0], .name = o.name};
    char name[TEXT_SAFE];
    struct satchel_contact c;
    int rc = satchel_sync_contact_add(cli->s, &ao, &c, err);

    (void)argc;
    if (rc != SATCHEL_OK)
        return rc;
    ui_result(as_json(&c));
    ui_line("%s is %s\nsafety number:\n  %s", text_safe(c.name, name, sizeof(name)), c.user_id,
            c.safety);
    if (!c.verified)
        ui_note("hint: compare the number with the other side, then 'satchel contacts verify %s'",
                argv[0]);
    return SATCHEL_OK;
}

static int run_verify(struct cli *cli, int argc, char **argv, struct satchel_error *err)
{
    struct satchel_contact c;
    int rc = satchel_contact_get(cli->s, argv[0], &c, err);

    (void)argc;
    if (rc != SATCHEL_OK)
        return rc;
    if (o.number == NULL) {
        enum prompt_said said;

        ui_line("The safety number of you and %s is\n  %s", argv[0], c.safety);
        said = prompt_yes("Does the other side see the same number? (yes/no) ");
        if (said == PROMPT_STOPPED)
            return cli_error(err, SATCHEL_E_CANCELED, "interrupted; %s is not verified", argv[0]);
        if (said != PROMPT_YES) {
            rc = cli_error(err, SATCHEL_E_REFUSED, "%s is not verified", argv[0]);
            cli_hint(err,
                     prompt_possible()
                         ? "if the numbers differ one of you has wrong keys of the other: send "
                           "nothing, and ask the operator"
                         : "without a terminal: --number DIGITS as the other side reads them "
                           "out");
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

static int run_remove(struct cli *cli, int argc, char **argv, struct satchel_error *err)
{
    int rc = satchel_contact_remove(cli->s, argv[0], err);

    (void)argc;
    if (rc != SATCHEL_OK)
        return rc;
    ui_result(json_pack("{s:s}", "removed", argv[0]));
    ui_line("%s is forgotten", argv[0]);
    return SATCHEL_OK;
}

/* For changes of one contact: what it is afterwards. */
static int report(struct cli *cli, const char *who, const char *what, struct satchel_error *err)
{
    struct satchel_contact c;
    int rc = satchel_contact_get(cli->s, who, &c, err);

    if (rc != SATCHEL_OK)
        return rc;
    ui_result(as_json(&c));
    ui_line("%s %s", who, what);
    return SATCHEL_OK;
}

static int run_accept(struct cli *cli, int argc, char **argv, struct satchel_error *err)
{
    struct satchel_contact before;
    int rc = satchel_contact_get(cli->s, argv[0], &before, err);
    const char *what = "has no new key that waits for this: nothing has changed";

    (void)argc;
    if (rc == SATCHEL_OK)
        rc = satchel_contact_accept(cli->s, argv[0], err);
    if (rc != SATCHEL_OK)
        return rc;
    if (before.key_changed)
        what = "is used with the new key, not verified";
    return report(cli, argv[0], what, err);
}

static int run_rename(struct cli *cli, int argc, char **argv, struct satchel_error *err)
{
    int rc = satchel_contact_rename(cli->s, argv[0], argv[1], err);

    (void)argc;
    return rc == SATCHEL_OK ? report(cli, argv[1], "is the name from now on", err) : rc;
}

static int set_block(struct cli *cli, const char *who, bool unblock, struct satchel_error *err)
{
    struct satchel_contact_block_options bo = {.who = who, .unblock = unblock};
    struct satchel_contact c;
    int rc = satchel_sync_contact_block(cli->s, &bo, &c, err);

    if (rc != SATCHEL_OK)
        return rc;
    ui_result(as_json(&c));
    ui_line(unblock ? "%s can reach you again"
                    : "%s cannot reach you any more: to them you are no user of this server",
            who);
    return SATCHEL_OK;
}

static int run_block(struct cli *cli, int argc, char **argv, struct satchel_error *err)
{
    (void)argc;
    return set_block(cli, argv[0], false, err);
}

static int run_unblock(struct cli *cli, int argc, char **argv, struct satchel_error *err)
{
    (void)argc;
    return set_block(cli, argv[0], true, err);
}

static int run_restore(struct cli *cli, int argc, char **argv, struct satchel_error *err)
{
    struct satchel_restore_options ro = {0};
    struct satchel_restored r;
    int rc = satchel_sync_restore(cli->s, &ro, &r, err);

    (void)argc;
    (void)argv;
    if (rc != SATCHEL_OK)
        return rc;
    ui_result(json_pack("{s:I,s:I,s:I}", "contacts", (json_int_t)r.contacts, "lost",
                        (json_int_t)r.lost, "lost_groups", (json_int_t)r.lost_groups));
    ui_line("%u contact%s came back, %u did not", r.contacts, r.contacts == 1 ? "" : "s", r.lost);
    return SATCHEL_OK;
}

/* ---- groups ---- */

static void print_group(void *cookie, const struct satchel_group *g)
{
    json_t *members = json_array();
    char name[TEXT_SAFE];

    for (size_t i = 0; i < g->count; i++)
        (void)json_array_append_new(members, ui_json_text(g->members[i]));
    (void)json_array_append_new(
        cookie, json_pack("{s:o,s:o}", "name", ui_json_text(g->name), "members", members));
    ui_line("%s:", text_safe(g->name, name, sizeof(name)));
    for (size_t i = 0; i < g->count; i++)
        ui_line("  %s", text_safe(g->members[i], name, sizeof(name)));
}

static int list_groups(struct cli *cli, const char *group, struct satchel_error *err)
{
    json_t *list = json_array();
    int rc = satchel_group_list(cli->s, group, print_group, list, err);

    if (rc == SATCHEL_OK && !ui_json() && json_array_size(list) == 0)
        ui_note("no groups yet: 'satchel contacts group NAME add WHO...'");
    if (rc == SATCHEL_OK)
        ui_result(json_pack("{s:O}", "groups", list));
    json_decref(list);
    return rc;
}

static int delete_group(struct cli *cli, const char *group, struct satchel_error *err)
{
    int rc = satchel_group_delete(cli->s, group, err);

    if (rc != SATCHEL_OK)
        return rc;
    ui_result(json_pack("{s:s,s:s}", "group", group, "change", "delete"));
    ui_line("%s: deleted", group);
    return SATCHEL_OK;
}

/* group [NAME [add WHO... | remove WHO... | delete | list]] */
static int run_group(struct cli *cli, int argc, char **argv, struct satchel_error *err)
{
    const char *const *who = (const char *const *)argv + 2;
    const char *verb = argc > 1 ? argv[1] : "list";
    bool add = strcmp(verb, "add") == 0;
    int rc;

    if (argc <= 2 && strcmp(verb, "list") == 0)
        return list_groups(cli, argc > 0 ? argv[0] : NULL, err);
    if (argc == 2 && strcmp(verb, "delete") == 0)
        return delete_group(cli, argv[0], err);
    if (argc < 3 || (!add && strcmp(verb, "remove") != 0)) {
        rc = cli_error(err, SATCHEL_E_INVALID, "contacts group: cannot make sense of '%s'", verb);
        cli_hint(err, "usage: satchel contacts group [NAME [add WHO... | remove WHO... | delete |"
                      " list]]");
        return rc;
    }
    rc = (add ? satchel_group_add : satchel_group_remove)(cli->s, argv[0], who, (size_t)argc - 2,
                                                          err);
    if (rc != SATCHEL_OK)
        return rc;
    ui_result(json_pack("{s:s,s:s,s:i}", "group", argv[0], "change", verb, "count", argc - 2));
    ui_line("%s: %d %s", argv[0], argc - 2, add ? "added" : "removed");
    return SATCHEL_OK;
}

static const struct {
    const char *name;
    int min, max; /* arguments; max -1: any number */
    int (*run)(struct cli *cli, int argc, char **argv, struct satchel_error *err);
} verbs[] = {{"list", 0, 0, run_list},       {"add", 1, 1, run_add},
             {"verify", 1, 1, run_verify},   {"accept", 1, 1, run_accept},
             {"remove", 1, 1, run_remove},   {"rename", 2, 2, run_rename},
             {"block", 1, 1, run_block},     {"unblock", 1, 1, run_unblock},
             {"restore", 0, 0, run_restore}, {"group", 0, -1, run_group}};

/* ${n}: how many arguments verb ${i} was given. */
static int check_count(size_t i, int n, struct satchel_error *err)
{
    int rc;

    if (n >= verbs[i].min && (verbs[i].max < 0 || n <= verbs[i].max))
        return SATCHEL_OK;
    if (n < verbs[i].min)
        rc = cli_error(err, SATCHEL_E_INVALID, "contacts %s: %s is missing", verbs[i].name,
                       n == 0 ? "WHO" : "NAME");
    else
        rc = cli_error(err, SATCHEL_E_INVALID, "contacts %s: too many arguments", verbs[i].name);
    cli_hint(err, "usage: satchel contacts %s", cmd_contacts.args);
    return rc;
}

static int run(struct cli *cli, int argc, char **argv, struct satchel_error *err)
{
    const char *verb = argc > 0 ? argv[0] : "list";
    int n = argc > 0 ? argc - 1 : 0;
    int rc;

    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
        if (strcmp(verbs[i].name, verb) == 0) {
            rc = check_count(i, n, err);
            return rc == SATCHEL_OK ? verbs[i].run(cli, n, argv + 1, err) : rc;
        }
    rc = cli_error(err, SATCHEL_E_INVALID, "contacts: cannot make sense of '%s'", verb);
    cli_hint(err, "usage: satchel contacts %s", cmd_contacts.args);
    return rc;
}

const struct cli_cmd cmd_contacts = {
    .name = "contacts",
    .args = "[list | add|verify|accept|remove|block|unblock WHO | rename WHO NAME |"
            " group [NAME [add|remove WHO... | delete]] | restore]",
    .summary = "people, their keys, and groups of them",
    .details =
        "WHO is a contact's name, a user ID, a username, or the e-mail address that somebody\n"
        "registered with, which the server does not check. Keys are pinned when first seen;\n"
        "'verify' compares the safety number over another channel, a phone call for example.\n"
        "After a recovery on the other side sending stops until 'verify' or 'accept'. A group's\n"
        "name may stand after --to. To somebody who is blocked you are no user of the server.",
    .opts = opts,
    .min_args = 0,
    .max_args = -1,
    .needs = CLI_OPEN,
    .run = run,
};
