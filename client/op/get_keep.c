/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an earlier attempt of a get left: `.NAME.satchel-part`, if the vault
 * knows that it is of this transfer (client/local/partial.h).
 *
 * The plaintext there is trusted by nobody: each piece is encrypted again, with
 * the key whose share was claimed anew, and its leaf compared with the checked
 * one.  Pieces that differ are asked for and overwritten.
 */
#include <stdlib.h>
#include <string.h>

#include "client/local/output_name.h"
#include "client/local/partial.h"
#include "client/op/get.h"

/* ---- before ----------------------------------------------------------------------- */

/* Is what is there of this transfer?  Otherwise it becomes so, empty. */
static int claim_part(struct get *g, struct err *err)
{
    struct vault *v = g->op.s->profile->vault;
    struct partial known = {0}, mine = {.tid = g->row.r.header.tid,
                                        .header = g->row.r.header_hash,
                                        .length = g->row.r.metadata.length,
                                        .begun = handle_now()};
    bool ours = false;
    int rc = output_part_path(g->output, &g->part_path, err);

    if (rc == ERR_OK && output_left(g->output) > 0) {
        rc = partial_load(v, g->part_path, &known, err);
        ours = rc == ERR_OK && memcmp(&known.tid, &mine.tid, sizeof(mine.tid)) == 0 &&
               memcmp(&known.header, &mine.header, sizeof(mine.header)) == 0;
        rc = rc == ERR_NOTFOUND ? ERR_OK : rc;
    }
    g->resuming = ours;
    g->replaced = !ours && known.length > 0; /* of another transfer */
    if (rc == ERR_OK && !ours)
        rc = output_empty(g->output, err);
    if (rc == ERR_OK && !ours)
        rc = partial_save(v, g->part_path, &mine, err);
    return rc;
}

/*
 * A folder is unpacked, or its archive kept under a name of its own.  Where the sender's name
 * counts it must be one that does no harm.
 */
static void aim(struct get *g, char ret_name[GET_NAME_SIZE])
{
    char safe[METADATA_NAME_MAX + 1];
    const struct metadata *m = &g->row.r.metadata;
    bool packed = m->kind == METADATA_ARCHIVE && g->keep_archive;

    if (m->kind == METADATA_ARCHIVE && !packed)
        g->spec.unpack = m->name;
    g->renamed = output_name_safe(m->name, safe, sizeof(safe)) && g->folder != NULL;
    (void)snprintf(ret_name, GET_NAME_SIZE, "%s%s", g->renamed ? safe : m->name,
                   packed ? GET_ARCHIVE_SUFFIX : "");
}

int get_keep_open(struct get *g, struct err *err)
{
    const struct header *h = &g->row.r.header;
    char name[GET_NAME_SIZE];
    struct output_spec spec;
    int rc;

    aim(g, name);
    spec = g->spec;
    spec.modified = g->row.r.metadata.kind == METADATA_FILE ? g->row.r.metadata.modified : 0;
    spec.resume = body_pieces(h->body_length) >= GET_KEEP_MIN;
    rc = output_open(&spec, name, &g->output, err);
    if (rc == ERR_OK && spec.resume && !output_in_order(g->output))
        rc = claim_part(g, err);
    if (rc == ERR_OK)
        rc = output_expect(g->output, g->row.r.metadata.length, err);
    return rc;
}

/* ---- the check ------------------------------------------------------------------------ */

/* Does the file hold piece ${index}?  ${buffer} takes BODY_PIECE_SEALED bytes. */
static bool holds(struct get *g, uint32_t index, uint8_t *buffer)
{
    const struct header *h = &g->row.r.header;
    uint64_t at = (uint64_t)index * BODY_PIECE_PLAIN, length = g->row.r.metadata.length;
    size_t len = body_plain_len(h->body_length, index);
    size_t of_file = length > at ? (size_t)(length - at < len ? length - at : len) : 0;
    struct hash32 leaf;

    if (of_file > 0 && !output_read(g->output, at, buffer, of_file))
        return false;
    memset(buffer + of_file, 0, len - of_file);
    return body_seal_piece(g->body, index, part(buffer, len), buffer, &leaf) == ERR_OK &&
           memcmp(&leaf, &g->leaves[index], sizeof(leaf)) == 0; /* public: the server has it */
}

static int check_work(struct op_job *job, struct err *err)
{
    struct get *g = (struct get *)job->op;
    uint8_t *buffer = malloc(BODY_PIECE_SEALED);
    uint32_t i;

    if (buffer == NULL)
        return err_set(err, ERR_NOMEM, "out of memory");
    while (!atomic_load(&g->stop) && (i = atomic_fetch_add(&g->next_check, 1)) < g->n_pieces)
        g->have[i] = holds(g, i, buffer);
    free(buffer);
    return ERR_OK;
}

static void check_done(struct op_job *job)
{
    struct get *g = (struct get *)job->op;

    if (--g->checking > 0)
        return;
    for (uint32_t i = 0; i < g->n_pieces; i++)
        g->kept += g->have[i];
    g->finished = g->kept;
    g->op.progress.pieces_kept = g->kept;
    g->op.progress.done = get_bytes_done(g); /* told with the phase: what moves counts from here */
    if (g->kept > 0)
        handle_notice(g->op.s, SATCHEL_NOTICE_KEPT, NULL,
                      "'%s': %u of %u pieces were here already, and are right", g->shown.name,
                      g->kept, g->n_pieces);
    if (g->op.ended)
        return;
    op_phase(&g->op, SATCHEL_PHASE_TRANSFER);
    get_body_fill(g);
}

void get_keep_check(struct get *g)
{
    g->checking = GET_CHECKERS;
    for (size_t i = 0; i < GET_CHECKERS && !g->op.ended; i++)
        op_job(&g->op, &g->checkers[i], check_work, check_done);
}

/* ---- after ------------------------------------------------------------------------------ */

void get_keep_part(struct get *g, int code)
{
    bool some = g->finished > 0 || g->resuming;

    for (size_t i = 0; i < POOL_PIECES; i++)
        some = some || g->pieces[i].there;
    if (some && g->part_path != NULL && (op_may_pass(code) || code == ERR_IO))
        output_keep(g->output);
}
