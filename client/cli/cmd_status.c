/* SPDX-License-Identifier: Apache-2.0 */
/* satchel status, satchel delete - what became of a transfer, and taking it away. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/cli.h"
#include "client/cli/proof.h"
#include "client/cli/text.h"
#include "client/cli/ui.h"

static struct {
    const char *export_to;
    bool force;
} o;

static const struct opt status_opts[] = {
    {"export", 0, OPT_TEXT, &o.export_to, "FILE",
     "write the log with all signatures, for others to check"},
    {0},
};

static const struct opt delete_opts[] = {
    {"force", 'f', OPT_FLAG, &o.force, NULL, "also what others can still open, and you revoke"},
    {0},
};

/* A line of the log. */
struct line {
    struct line *next;
    char text[TEXT_SAFE + 128];
};

/* What was sent, if it can still be opened here. */
struct subject {
    char name[SATCHEL_FILE_SIZE];
    char *message; /* NULL: none */
    uint64_t size;
    bool known, folder;
};

struct people {
    struct subject subject;
    json_t *json, *log, *proof;
    struct line *first, **last;
    struct {
        char who[TEXT_SAFE];
        enum satchel_state state;
        uint64_t changed;
        uint32_t opens_used;
    } rows[257];
    size_t count;
};

static void on_recipient(void *cookie, const struct satchel_recipient *r)
{
    struct people *p = cookie;

    (void)json_array_append_new(
        p->json,
        json_pack("{s:s,s:o,s:s,s:I,s:o,s:o}", "user_id", r->user_id, "name", ui_json_text(r->name),
                  "state", satchel_state_name(r->state), "opens_used", (json_int_t)r->opens_used,
                  "changed", ui_json_time(r->changed), "received",
                  r->received != 0 ? ui_json_time(r->received) : json_null()));
    if (p->count == sizeof(p->rows) / sizeof(p->rows[0]))
        return;
    (void)text_safe(r->name[0] != '\0' ? r->name : r->user_id, p->rows[p->count].who, TEXT_SAFE);
    p->rows[p->count].state = r->state;
    p->rows[p->count].changed = r->changed;
    p->rows[p->count++].opens_used = r->opens_used;
}

static void on_transfer(void *cookie, const struct satchel_transfer *t)
{
    struct subject *s = &((struct people *)cookie)->subject;

    s->known = true;
    s->folder = t->folder;
    s->size = t->size;
    (void)snprintf(s->name, sizeof(s->name), "%s", t->name);
    if (t->message[0] != '\0')
        s->message = strdup(t->message);
}

static void print_subject(const struct subject *s)
{
    char safe[TEXT_SAFE], size[TEXT_SIZE];
    char *message = s->message != NULL ? text_message(s->message) : NULL;

    if (s->known)
        ui_line("%-9s %s%s, %s", s->folder ? "folder" : "file",
                text_safe(s->name, safe, sizeof(safe)), s->folder ? "/" : "",
                text_size(s->size, size));
    if (s->message != NULL)
        ui_line("message   %s", message != NULL ? message : "(out of memory)");
    free(message);
}

static void add_subject(json_t *row, const struct subject *s)
{
    (void)json_object_set_new(row, "name", s->known ? ui_json_text(s->name) : json_null());
    (void)json_object_set_new(row, "size",
                              s->known ? json_integer((json_int_t)s->size) : json_null());
    (void)json_object_set_new(row, "kind",
                              s->known ? json_string(s->folder ? "folder" : "file") : json_null());
    (void)json_object_set_new(row, "message",
                              s->message != NULL ? ui_json_text(s->message) : json_null());
}

static void print_status(const struct satchel_status *r, const struct people *p)
{
    char time[TEXT_TIME], size[TEXT_SIZE];

    ui_line("transfer  %s", r->id);
    print_subject(&p->subject);
    ui_line("sent      %s", text_time(r->created, time));
    ui_line("expires   %s", text_time(r->expires, time));
    ui_line("size      %s, padded", text_size(r->padded_size, size));
    for (size_t i = 0; i < p->count; i++)
        ui_line("%-9s %s  %s, opened %u %s", i == 0 ? (r->ours ? "to" : "you") : "", p->rows[i].who,
                satchel_state_name(p->rows[i].state), p->rows[i].opens_used,
                p->rows[i].opens_used == 1 ? "time" : "times");
    for (const struct line *l = p->first; l != NULL; l = l->next)
        ui_line("%s", l->text);
}

/* ---- the log ---- */

static void on_logged(void *cookie, const struct satchel_logged *e)
{
    struct people *p = cookie;
    const char *who = e->who[0] != '\0' ? e->who : e->who_id, *whom;
    char time[TEXT_TIME], safe[TEXT_SAFE];
    struct line *l = calloc(1, sizeof(*l));

    (void)json_array_append_new(
        p->log, json_pack("{s:I,s:o,s:s,s:s,s:o,s:b}", "number", (json_int_t)e->number, "time",
                          ui_json_time(e->time), "event", e->name, "user_id", e->who_id, "name",
                          ui_json_text(e->who), "receipt", e->receipt));
    proof_event(p->proof, e);
    if (l == NULL)
        return;
    /* It is we who revoke and extend, and time by which it expires. */
    whom = strcmp(e->name, "revoked") == 0 || strcmp(e->name, "expired") == 0 ? "for " : "";
    (void)snprintf(l->text, sizeof(l->text), "%-9s %s  %-10s %s%s%s%s", e->number == 1 ? "log" : "",
                   text_time(e->time, time), e->name, whom, text_safe(who, safe, sizeof(safe)),
                   e->receipt ? ", signed" : "", e->problem != NULL ? ", NOT PROVEN" : "");
    if (e->problem != NULL)
        ui_note("satchel: the receipt of %s does not count: %s", safe, e->problem);
    *p->last = l;
    p->last = &l->next;
}

static void on_proof(void *cookie, const struct satchel_proof *b)
{
    proof_begin(((struct people *)cookie)->proof, b);
}

static void on_manifest(void *cookie, const char *user_id, struct satchel_bytes manifest)
{
    proof_manifest(((struct people *)cookie)->proof, user_id, manifest);
}

static void free_lines(struct people *p)
{
    while (p->first != NULL) {
        struct line *l = p->first;

        p->first = l->next;
        free(l);
    }
}

static void report_status(const struct satchel_status *r, const struct people *people)
{
    json_t *row = json_pack(
        "{s:s,s:s,s:o,s:o,s:o,s:I,s:I,s:b,s:O,s:O}", "id", r->id, "from_id", r->from_id, "created",
        ui_json_time(r->created), "stored", ui_json_time(r->stored), "expires",
        ui_json_time(r->expires), "padded_size", (json_int_t)r->padded_size, "opens",
        (json_int_t)r->opens, "ours", r->ours, "recipients", people->json, "log", people->log);

    add_subject(row, &people->subject);
    ui_result(row);
    print_status(r, people);
}

static int run_status(struct cli *cli, int argc, char **argv, struct satchel_error *err)
{
    static struct people people;
    struct satchel_status_options so = {.id = argv[0],
                                        .cookie = &people,
                                        .on_recipient = on_recipient,
                                        .on_transfer = on_transfer,
                                        .on_logged = on_logged,
                                        .on_proof = on_proof,
                                        .on_manifest = on_manifest};
    struct satchel_status r;
    int rc;

    (void)argc;
    people.json = json_array();
    people.log = json_array();
    people.proof = proof_new();
    people.last = &people.first;
    rc = satchel_sync_status(cli->s, &so, &r, err);
    if (rc == SATCHEL_OK && o.export_to != NULL && !r.ours)
        rc = cli_error(err, SATCHEL_E_REFUSED,
                       "status: transfer '%.12s' was not sent by you: only its sender has the log",
                       r.id);
    if (rc == SATCHEL_OK && o.export_to != NULL)
        rc = proof_write(people.proof, r.id, o.export_to, err);
    if (rc == SATCHEL_OK)
        report_status(&r, &people);
    json_decref(people.json);
    json_decref(people.log);
    json_decref(people.proof);
    free_lines(&people);
    free(people.subject.message);
    return rc;
}

static int run_delete(struct cli *cli, int argc, char **argv, struct satchel_error *err)
{
    int first = SATCHEL_OK;

    for (int i = 0; i < argc && first != SATCHEL_E_CANCELED; i++) {
        struct satchel_delete_options d = {
            .id = argv[i], .folder = SATCHEL_ALL_FOLDERS, .force = o.force};
        char id[SATCHEL_ID_SIZE];
        struct satchel_error one;
        int rc = satchel_sync_delete(cli->s, &d, id, &one);

        cli_keep_first(rc, &one, &first, err);
        if (rc != SATCHEL_OK)
            continue;
        ui_result(json_pack("{s:s}", "id", id));
        ui_line("%.12s  deleted", id);
    }
    return first;
}

const struct cli_cmd cmd_status = {
    .name = "status",
    .args = "ID [--export FILE]",
    .summary = "show what became of a transfer",
    .details =
        "'released' means that a recipient's device was given the key; only a receipt shows\n"
        "that the file was received whole. The log is the server's, signed by it: satchel keeps\n"
        "how far it went and notices when the server shows another one. --export writes it as\n"
        "JSON that anybody can check: proto/FORMATS.md section 14.7.",
    .ids = "'satchel inbox' and 'satchel sent' show",
    .opts = status_opts,
    .min_args = 1,
    .max_args = 1,
    .needs = CLI_OPEN,
    .run = run_status,
};

const struct cli_cmd cmd_delete = {
    .name = "delete",
    .args = "ID... [--force]",
    .summary = "take transfers out of your folders",
    .details =
        "For good: your key to it is destroyed. Others keep their copies, and what you have sent\n"
        "you cannot revoke any more: while somebody who has not received it can still open it,\n"
        "delete refuses. Revoke it first, or use --force.",
    .ids = "'satchel inbox' and 'satchel sent' show",
    .opts = delete_opts,
    .min_args = 1,
    .max_args = -1,
    .needs = CLI_OPEN,
    .run = run_delete,
};
