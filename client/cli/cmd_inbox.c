/* SPDX-License-Identifier: Apache-2.0 */
/* satchel inbox, satchel sent - what is in a folder. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/cli/cli.h"
#include "client/cli/draw.h"
#include "client/cli/table.h"
#include "client/cli/text.h"
#include "client/cli/ui.h"

enum { COL_ID, COL_WHO, COL_NAME, COL_SIZE, COL_AGE, COL_EXPIRES, COL_OPENS, COL_STATE };

enum {
    SHORTEST_ID = 8,
    WHO_LEAST = 24, /* so much of a name tells people apart */
    NAME_LEAST = 8
};

static bool all, previews;

static const struct opt inbox_opts[] = {
    {"all", 'a', OPT_FLAG, &all, NULL, "also what has expired, was revoked or used up"},
    {"previews", 'p', OPT_FLAG, &previews, NULL, "draw the previews of pictures"},
    {0},
};

struct row {
    char id[SATCHEL_ID_SIZE];
    char *cells[TABLE_COLUMNS]; /* owned */
    json_t *json;               /* instead of cells; owned */
    uint8_t *preview;           /* owned; NULL: none */
    size_t preview_len;
    uint8_t weights[SATCHEL_WEIGHTS_SIZE];
    bool weights_told;
};

struct listing {
    struct row *rows;
    size_t count, cap;
    bool sent, nomem;
    bool no_previews; /* they are not installed: told once */
    uint64_t now;
};

static bool is_over(const struct satchel_transfer *t)
{
    return t->state == SATCHEL_STATE_EXPIRED || t->state == SATCHEL_STATE_REVOKED ||
           t->state == SATCHEL_STATE_DELETED || t->state == SATCHEL_STATE_SPENT;
}

/* How often it was opened: by all recipients, if they are known. */
static uint64_t opens_used(const struct satchel_transfer *t)
{
    uint64_t n = 0;

    if (t->to == NULL)
        return t->opens_used;
    for (size_t i = 0; i < t->to_count; i++)
        n += t->to[i].opens_used;
    return n;
}

static json_t *to_json(const struct satchel_transfer *t)
{
    json_t *rows = t->to != NULL ? json_array() : json_null();

    for (size_t i = 0; t->to != NULL && i < t->to_count; i++)
        (void)json_array_append_new(
            rows,
            json_pack("{s:s,s:o,s:s,s:I,s:o}", "user_id", t->to[i].user_id, "name",
                      ui_json_text(t->to[i].name), "state", satchel_state_name(t->to[i].state),
                      "opens_used", (json_int_t)t->to[i].opens_used, "received",
                      t->to[i].received != 0 ? ui_json_time(t->to[i].received) : json_null()));
    return rows;
}

static json_t *as_json(const struct satchel_transfer *t, bool sent)
{
    json_t *row =
        json_pack("{s:s,s:o,s:s,s:o,s:o,s:o,s:o,s:o,s:o,s:s,s:I,s:I,s:I,s:b}", "id", t->id, "from",
                  ui_json_text(t->from), "from_id", t->from_id, "name",
                  t->opened ? ui_json_text(t->name) : json_null(), "size",
                  t->opened ? json_integer((json_int_t)t->size) : json_null(), "media_type",
                  t->opened ? ui_json_text(t->media_type) : json_null(), "created",
                  ui_json_time(t->created), "stored", ui_json_time(t->stored), "expires",
                  ui_json_time(t->expires), "state", satchel_state_name(t->state), "opens",
                  (json_int_t)t->opens, "opens_used", (json_int_t)opens_used(t), "recipients",
                  (json_int_t)t->recipients, "from_verified", t->from_verified);

    if (row == NULL)
        return NULL;
    if (sent)
        (void)json_object_set_new(row, "to", to_json(t));
    if (t->opened)
        (void)json_object_set_new(row, "kind", json_string(t->folder ? "folder" : "file"));
    if (t->opened && t->message != NULL && t->message[0] != '\0')
        (void)json_object_set_new(row, "message", ui_json_text(t->message));
    if (t->problem != NULL)
        (void)json_object_set_new(row, "problem",
                                  json_pack("{s:s,s:o}", "code", t->problem->name, "message",
                                            ui_json_text(t->problem->message)));
    return row;
}

/* ---- rows of the table ---- */

static void fill(struct listing *l, struct row *row, int column, const char *text)
{
    char safe[TEXT_SAFE];

    row->cells[column] = strdup(text_safe(text, safe, sizeof(safe)));
    l->nomem = l->nomem || row->cells[column] == NULL;
}

/* "bob", "bob, carol", "bob +2"; how many they are, if more is not known. */
static void fill_to(struct listing *l, struct row *row, const struct satchel_transfer *t)
{
    const char *names[2] = {"", ""};
    char text[2 * SATCHEL_NAME_SIZE + 16];

    for (size_t i = 0; i < 2 && i < t->to_count && t->to != NULL; i++)
        names[i] = t->to[i].name[0] != '\0' ? t->to[i].name : t->to[i].user_id;
    if (t->to == NULL || t->to_count == 0)
        (void)snprintf(text, sizeof(text), "%u", t->recipients);
    else if (t->to_count <= 2)
        (void)snprintf(text, sizeof(text), "%s%s%s", names[0], t->to_count == 2 ? ", " : "",
                       names[1]);
    else
        (void)snprintf(text, sizeof(text), "%s +%zu", names[0], t->to_count - 1);
    fill(l, row, COL_WHO, text);
}

/* What became of what was sent: the furthest that any recipient has come, and how many have. */
static void fill_state(struct listing *l, struct row *row, const struct satchel_transfer *t)
{
    size_t count[SATCHEL_STATE_SPENT + 1] = {0};
    const enum satchel_state order[] = {SATCHEL_STATE_RECEIVED, SATCHEL_STATE_RELEASED};
    enum satchel_state all_are = t->state;
    char text[64];

    for (size_t i = 0; i < t->to_count && t->to != NULL; i++)
        if (t->to[i].received != 0) /* and perhaps deleted behind that */
            count[SATCHEL_STATE_RECEIVED]++;
        else if ((unsigned)t->to[i].state <= SATCHEL_STATE_SPENT)
            count[t->to[i].state]++;
    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]) && !is_over(t); i++)
        if (count[order[i]] > 0) {
            (void)snprintf(text, sizeof(text), "%s %zu/%zu", satchel_state_name(order[i]),
                           count[order[i]], t->to_count);
            fill(l, row, COL_STATE, text);
            return;
        }
    for (size_t i = 0; i <= SATCHEL_STATE_SPENT; i++)
        if (t->to_count > 0 && count[i] == t->to_count)
            all_are = (enum satchel_state)i;
    fill(l, row, COL_STATE, satchel_state_name(is_over(t) ? t->state : all_are));
}

static void fill_row(struct listing *l, struct row *row, const struct satchel_transfer *t)
{
    char text[TEXT_SIZE], name[SATCHEL_FILE_SIZE + 1];

    fill(l, row, COL_ID, t->id);
    if (l->sent)
        fill_to(l, row, t);
    else
        fill(l, row, COL_WHO, t->from);
    (void)snprintf(name, sizeof(name), "%s%s", t->opened ? t->name : "(cannot be read)",
                   t->opened && t->folder ? "/" : "");
    fill(l, row, COL_NAME, name);
    fill(l, row, COL_SIZE, text_size(t->opened ? t->size : t->padded_size, text));
    fill(l, row, COL_AGE, text_span(l->now > t->stored ? l->now - t->stored : 0, text));
    fill(l, row, COL_EXPIRES, t->expires > l->now ? text_span(t->expires - l->now, text) : "-");
    (void)snprintf(text, sizeof(text), "%llu", (unsigned long long)opens_used(t));
    fill(l, row, COL_OPENS, text);
    if (t->problem != NULL && !is_over(t))
        fill(l, row, COL_STATE, "damaged");
    else
        fill_state(l, row, t);
}

/* Room for one more row, zeroed; NULL: out of memory. */
static struct row *add_row(struct listing *l)
{
    if (l->count == l->cap) {
        size_t cap = l->cap > 0 ? l->cap * 2 : 64;
        struct row *rows = realloc(l->rows, cap * sizeof(*rows));

        if (rows == NULL)
            return NULL;
        l->rows = rows;
        l->cap = cap;
    }
    memset(&l->rows[l->count], 0, sizeof(l->rows[0]));
    return &l->rows[l->count++];
}

/* Unpacked later: this is no place to take long. */
static void keep_preview(struct row *row, const struct satchel_transfer *t)
{
    if (!previews || t->preview == NULL || (row->preview = malloc(t->preview_len)) == NULL)
        return;
    memcpy(row->preview, t->preview, t->preview_len);
    row->preview_len = t->preview_len;
    row->weights_told = t->preview_weights != NULL;
    if (row->weights_told)
        memcpy(row->weights, t->preview_weights, sizeof(row->weights));
}

static void on_transfer(void *cookie, const struct satchel_transfer *t)
{
    struct listing *l = cookie;
    struct row *row;

    if (is_over(t) && !all && !l->sent)
        return;
    row = add_row(l);
    if (row == NULL || (ui_json() && (row->json = as_json(t, l->sent)) == NULL)) {
        l->nomem = true;
        return;
    }
    memcpy(row->id, t->id, sizeof(row->id));
    keep_preview(row, t);
    if (ui_json())
        return;
    fill_row(l, row, t);
    if (t->problem != NULL && !is_over(t)) {
        char safe[TEXT_SAFE];

        ui_note("satchel: transfer %.12s: %s", t->id,
                text_safe(t->problem->message, safe, sizeof(safe)));
    }
}

static int by_id(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* How many digits tell every two rows apart; random IDs share few. */
static int id_digits(const struct listing *l)
{
    const char **ids = calloc(l->count + 1, sizeof(*ids));
    int digits = SHORTEST_ID;

    if (ids == NULL)
        return SATCHEL_ID_SIZE - 1;
    for (size_t i = 0; i < l->count; i++)
        ids[i] = l->rows[i].id;
    qsort(ids, l->count, sizeof(*ids), by_id);
    for (size_t i = 1; i < l->count; i++)
        while (digits < SATCHEL_ID_SIZE - 1 && strncmp(ids[i - 1], ids[i], (size_t)digits) == 0)
            digits++;
    free(ids);
    return digits;
}

/* With NULL the heads. */
static void print_row(struct listing *l, const struct table *t, char *const *cells)
{
    char *line = table_line(t, cells);

    if (line != NULL)
        ui_line("%s", line);
    else
        l->nomem = true;
    free(line);
}

/* What a row's preview shows, if it has one and it is one; else why not, or "". */
static bool unpack(struct listing *l, const struct row *row, struct satchel_preview *ret,
                   struct satchel_error *why)
{
    int rc;

    why->message[0] = '\0';
    if (row->preview == NULL || l->no_previews)
        return false;
    rc = satchel_preview_decode(row->preview, row->preview_len,
                                row->weights_told ? row->weights : NULL, ret, why);
    l->no_previews = rc == SATCHEL_E_UNSUPPORTED || rc == SATCHEL_E_NOTFOUND;
    if (l->no_previews)
        ui_note("satchel: %s", why->message);
    if (rc != SATCHEL_E_REFUSED) /* the others are no matter of this row, or say nothing */
        why->message[0] = '\0';
    return rc == SATCHEL_OK;
}

static void draw_row(struct listing *l, const struct row *row)
{
    struct satchel_preview p;
    struct satchel_error why;
    char *text;

    if (!unpack(l, row, &p, &why)) {
        if (why.message[0] != '\0')
            ui_line("  not shown: %s", why.message);
        return;
    }
    text = draw_text(&p, STDOUT_FILENO);
    if (text != NULL)
        ui_line("%s", text);
    free(text);
}

/* What others have named is cut to what a terminal has room for; elsewhere all is whole. */
static void print_table(struct listing *l)
{
    struct table t = {.heads = {"ID", l->sent ? "TO" : "FROM", "NAME", "SIZE", "AGE", "EXPIRES",
                                l->sent ? "OPENS" : NULL, "STATE"},
                      .least = {[COL_WHO] = WHO_LEAST, [COL_NAME] = NAME_LEAST}};
    int digits = id_digits(l);

    table_measure(&t, NULL);
    for (size_t i = 0; i < l->count; i++) {
        l->rows[i].cells[COL_ID][digits] = '\0';
        table_measure(&t, l->rows[i].cells);
    }
    if (ui_columns() > 0)
        table_fit(&t, ui_columns());
    print_row(l, &t, NULL);
    for (size_t i = 0; i < l->count; i++) {
        print_row(l, &t, l->rows[i].cells);
        draw_row(l, &l->rows[i]);
    }
}

static void print_json(struct listing *l)
{
    json_t *rows = json_array();
    struct satchel_preview p;
    struct satchel_error why;

    for (size_t i = 0; i < l->count; i++) {
        if (unpack(l, &l->rows[i], &p, &why))
            (void)json_object_set_new(l->rows[i].json, "preview",
                                      json_pack("{s:i,s:i,s:I}", "width", (int)p.width, "height",
                                                (int)p.height, "bytes",
                                                (json_int_t)l->rows[i].preview_len));
        else if (why.message[0] != '\0')
            (void)json_object_set_new(l->rows[i].json, "preview_problem", json_string(why.message));
        (void)json_array_append(rows, l->rows[i].json);
    }
    ui_result(json_pack("{s:o}", "transfers", rows));
}

static void free_rows(struct listing *l)
{
    for (size_t i = 0; i < l->count; i++) {
        for (size_t c = 0; c < TABLE_COLUMNS; c++)
            free(l->rows[i].cells[c]);
        json_decref(l->rows[i].json);
        free(l->rows[i].preview);
    }
    free(l->rows);
}

static int list_folder(struct cli *cli, enum satchel_folder folder, struct satchel_error *err)
{
    struct listing l = {.sent = folder == SATCHEL_SENT, .now = text_now()};
    struct satchel_list_options lo = {
        .folder = folder, .with_recipients = l.sent, .cookie = &l, .on_transfer = on_transfer};
    struct satchel_listed listed = {0};
    int rc = satchel_sync_list(cli->s, &lo, &listed, err);

    if (rc == SATCHEL_OK && !l.nomem && ui_json()) {
        print_json(&l);
    } else if (rc == SATCHEL_OK && !l.nomem && l.count > 0) {
        print_table(&l);
    } else if (rc == SATCHEL_OK && !l.nomem) {
        ui_note("%s", l.sent ? "nothing sent yet" : "nothing here");
    }
    if (rc == SATCHEL_OK && l.nomem)
        rc = cli_error(err, SATCHEL_E_NOMEM, "out of memory");
    if (rc == SATCHEL_OK && listed.hidden > 0)
        ui_note("%llu from blocked senders are not shown", (unsigned long long)listed.hidden);
    free_rows(&l);
    return rc;
}

static int run_inbox(struct cli *cli, int argc, char **argv, struct satchel_error *err)
{
    (void)argc;
    (void)argv;
    return list_folder(cli, SATCHEL_INBOX, err);
}

static int run_sent(struct cli *cli, int argc, char **argv, struct satchel_error *err)
{
    (void)argc;
    (void)argv;
    return list_folder(cli, SATCHEL_SENT, err);
}

const struct cli_cmd cmd_inbox = {
    .name = "inbox",
    .args = "[--all] [--previews]",
    .summary = "list what has arrived",
    .details = "Oldest first. Names come from the senders: control characters are shown escaped.",
    .opts = inbox_opts,
    .min_args = 0,
    .max_args = 0,
    .needs = CLI_OPEN,
    .run = run_inbox,
};

const struct cli_cmd cmd_sent = {
    .name = "sent",
    .args = "",
    .summary = "list what you have sent",
    .details =
        "Oldest first, with how often recipients have opened it and how many have received it, as\n"
        "the server says. 'satchel status ID' tells what became of one, and checks receipts.",
    .min_args = 0,
    .max_args = 0,
    .needs = CLI_OPEN,
    .run = run_sent,
};
