/* SPDX-License-Identifier: Apache-2.0 */
/* satchel inbox, satchel sent - what is in a folder. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/cli/cli.h"
#include "client/cli/draw.h"
#include "client/cli/text.h"
#include "client/cli/ui.h"

/* OPENS is a column of what was sent alone. */
enum { CELL = 64, COLUMNS = 8, OPENS = 6, SHORTEST_ID = 8 };

static bool all, previews;

static const struct opt inbox_opts[] = {
    {"all", 'a', OPT_FLAG, &all, NULL, "also what has expired, was revoked or used up"},
    {"previews", 'p', OPT_FLAG, &previews, NULL, "draw the previews of pictures"},
    {0},
};

struct row {
    char id[SATCHEL_ID_SIZE];
    char cells[COLUMNS][CELL]; /* the first is the ID, filled when all are known */
    json_t *json;              /* instead of cells; owned */
    uint8_t *preview;          /* owned; NULL: none */
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

/* ${text} into a cell, cut with an ellipsis at ${width} characters. */
static void fill(char cell[CELL], const char *text, size_t width)
{
    char safe[TEXT_SAFE];
    size_t used = 0, len, n = 0;

    (void)text_safe(text, safe, sizeof(safe));
    for (const char *at = safe; *at != '\0'; at += len, n++) {
        (void)text_decode(at, &len);
        if (used + len + 4 > CELL || (n + 1 >= width && at[len] != '\0')) {
            memcpy(cell + used, "\xe2\x80\xa6", 3);
            used += 3;
            break;
        }
        memcpy(cell + used, at, len);
        used += len;
    }
    cell[used] = '\0';
}

/* "bob", "bob, carol", "bob +2"; how many they are, if more is not known. */
static void fill_to(char cell[CELL], const struct satchel_transfer *t)
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
        (void)snprintf(text, sizeof(text), "%.16s +%zu", names[0], t->to_count - 1);
    fill(cell, text, 24);
}

/* What became of what was sent: the furthest that any recipient has come, and how many have. */
static void fill_state(char cell[CELL], const struct satchel_transfer *t)
{
    size_t count[SATCHEL_STATE_SPENT + 1] = {0};
    const enum satchel_state order[] = {SATCHEL_STATE_RECEIVED, SATCHEL_STATE_RELEASED};
    enum satchel_state all_are = t->state;
    char text[CELL];

    for (size_t i = 0; i < t->to_count && t->to != NULL; i++)
        if ((unsigned)t->to[i].state <= SATCHEL_STATE_SPENT)
            count[t->to[i].state]++;
    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]) && !is_over(t); i++)
        if (count[order[i]] > 0) {
            (void)snprintf(text, sizeof(text), "%s %zu/%zu", satchel_state_name(order[i]),
                           count[order[i]], t->to_count);
            fill(cell, text, 20);
            return;
        }
    for (size_t i = 0; i <= SATCHEL_STATE_SPENT; i++)
        if (t->to_count > 0 && count[i] == t->to_count)
            all_are = (enum satchel_state)i;
    fill(cell, satchel_state_name(is_over(t) ? t->state : all_are), 20);
}

static void fill_row(struct listing *l, struct row *row, const struct satchel_transfer *t)
{
    char size[TEXT_SIZE], age[TEXT_SIZE], left[TEXT_SIZE], name[SATCHEL_FILE_SIZE + 1];

    memcpy(row->id, t->id, sizeof(row->id));
    if (l->sent)
        fill_to(row->cells[1], t);
    else
        fill(row->cells[1], t->from, 24);
    (void)snprintf(name, sizeof(name), "%s%s", t->opened ? t->name : "(cannot be read)",
                   t->opened && t->folder ? "/" : "");
    fill(row->cells[2], name, 40);
    fill(row->cells[3], text_size(t->opened ? t->size : t->padded_size, size), 16);
    fill(row->cells[4], text_span(l->now > t->stored ? l->now - t->stored : 0, age), 16);
    fill(row->cells[5], t->expires > l->now ? text_span(t->expires - l->now, left) : "-", 16);
    (void)snprintf(row->cells[OPENS], CELL, "%llu", (unsigned long long)opens_used(t));
    if (t->problem != NULL && !is_over(t))
        fill(row->cells[7], "damaged", 16);
    else
        fill_state(row->cells[7], t);
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

static void print_row(const struct listing *l, char cells[COLUMNS][CELL], const size_t *widths)
{
    char line[COLUMNS * (CELL * 4 + 2)] = "";
    size_t used = 0;

    for (size_t c = 0; c < COLUMNS; c++) {
        size_t pad = c + 1 < COLUMNS ? widths[c] - text_columns(cells[c]) + 2 : 0;

        if (c == OPENS && !l->sent)
            continue;
        used += (size_t)snprintf(line + used, sizeof(line) - used, "%s%*s", cells[c], (int)pad, "");
    }
    ui_line("%s", line);
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

static void print_table(struct listing *l)
{
    char head[COLUMNS][CELL] = {"ID", "FROM", "NAME", "SIZE", "AGE", "EXPIRES", "OPENS", "STATE"};
    size_t widths[COLUMNS] = {0};
    int digits = id_digits(l);

    if (l->sent)
        memcpy(head[1], "TO", sizeof("TO"));
    for (size_t c = 0; c < COLUMNS; c++)
        widths[c] = text_columns(head[c]);
    for (size_t i = 0; i < l->count; i++) {
        (void)snprintf(l->rows[i].cells[0], CELL, "%.*s", digits, l->rows[i].id);
        for (size_t c = 0; c < COLUMNS; c++)
            if (text_columns(l->rows[i].cells[c]) > widths[c])
                widths[c] = text_columns(l->rows[i].cells[c]);
    }
    print_row(l, head, widths);
    for (size_t i = 0; i < l->count; i++) {
        print_row(l, l->rows[i].cells, widths);
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

    if (rc == SATCHEL_OK && l.nomem)
        rc = cli_error(err, SATCHEL_E_NOMEM, "out of memory");
    if (rc == SATCHEL_OK && ui_json()) {
        print_json(&l);
    } else if (rc == SATCHEL_OK && l.count > 0) {
        print_table(&l);
    } else if (rc == SATCHEL_OK) {
        ui_note("%s", l.sent ? "nothing sent yet" : "nothing here");
    }
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
